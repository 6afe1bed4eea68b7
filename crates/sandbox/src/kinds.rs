//! Where single kinds have logic of their own.

use lockstep_object::Object;

use crate::{
    server::Server,
    status::{Cause, Failure, Outcome},
    writing::Write,
    catalog::Resource,
};

impl Server {
    /// Prepares a new object of kinds with logic of their own.
    pub(crate) fn prepare_kind_create(&mut self, _write: &mut Write<'_>, _object: &mut Object) -> Outcome<()> {
        Ok(())
    }

    /// Prepares a changed object of kinds with logic of their own.
    pub(crate) fn prepare_kind_update(&mut self, _write: &mut Write<'_>, _old: &Object, _new: &mut Object) -> Outcome<()> {
        Ok(())
    }

    /// Validates a new object.
    pub(crate) fn validate_create(&self, _write: &Write<'_>, _object: &Object) -> Vec<Cause> {
        Vec::new()
    }

    /// Validates a changed object.
    pub(crate) fn validate_update(&self, _write: &Write<'_>, _old: &Object, _new: &Object) -> Vec<Cause> {
        Vec::new()
    }

    /// Admission of a new object before it is validated.
    pub(crate) fn admit_create(&mut self, write: &mut Write<'_>, object: &mut Object) -> Outcome<()> {
        self.check_namespace(write, object)
    }

    /// Admission of a changed object before it is validated.
    pub(crate) fn admit_update(&mut self, _write: &mut Write<'_>, _old: &Object, _new: &mut Object) -> Outcome<()> {
        Ok(())
    }

    /// Admission after validation.
    pub(crate) fn admit_validated(&mut self, _write: &mut Write<'_>, _old: Option<&Object>, _new: &Object) -> Outcome<()> {
        Ok(())
    }

    /// Admission of a deletion.
    pub(crate) fn admit_delete(&self, resource: &Resource, object: &Object) -> Outcome<()> {
        if resource.is("", "namespaces") && ["default", "kube-system", "kube-public"].contains(&object.name()) {
            let why = "this namespace may not be deleted";
            return Err(Failure::forbidden("", "namespaces", object.name(), why));
        }
        Ok(())
    }
}
