//! Status, scale and what else is below an object.

use lockstep_object::Object;

use crate::{
    server::{Call, Reply, Server},
    status::{Failure, Outcome},
};

impl Server {
    pub(crate) fn subresource(&mut self, verb: &str, call: &mut Call<'_>) -> Outcome<Reply> {
        let name = call.path.subresource.clone().unwrap_or_default();
        match (name.as_str(), verb) {
            ("status" | "finalize" | "approval" | "ephemeralcontainers" | "resize", "get") => self.get(call),
            ("status" | "finalize" | "approval" | "ephemeralcontainers" | "resize", "update") => self.update(call),
            ("status" | "finalize" | "approval" | "ephemeralcontainers" | "resize", "patch") => self.patch(call),
            _ => Err(Failure::no_such_resource()),
        }
    }

    /// Binds a pod to a node.
    pub(crate) fn bind(&mut self, _call: &mut Call<'_>, _binding: Object) -> Outcome<Reply> {
        Err(Failure::no_such_resource())
    }
}
