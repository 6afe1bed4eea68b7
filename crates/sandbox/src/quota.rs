//! LimitRange and ResourceQuota.

use lockstep_object::Object;

use crate::{server::Server, status::Outcome};

/// Fills in what a LimitRange says and refuses what it forbids.
pub(crate) fn limit_defaults(_server: &Server, _namespace: &str, _pod: &mut Object) -> Outcome<()> {
    Ok(())
}

/// Refuses a pod beyond a quota.
pub(crate) fn check_pod(_server: &Server, _namespace: &str, _pod: &Object) -> Outcome<()> {
    Ok(())
}
