//! The user's own rules, in CEL or Lua.

mod cel;
#[cfg(feature = "lua")]
mod lua;

use jiff::Timestamp;
use lockstep_object::{Gk, Object};

use crate::{Health, Status, rules::matches_group};

pub use cel::{Expression, Expressions};

/// A rule that the user wrote, about a group and kind (`*` or `_` stands for anything).
#[derive(Debug)]
pub struct UserRule {
    about: Gk,
    code: Code,
}

#[derive(Debug)]
enum Code {
    Cel(cel::Programs),
    #[cfg(feature = "lua")]
    Lua(String),
}

/// The rule cannot be used; the text says which part and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the health rule of {about} cannot be used: {message}")]
pub struct UserRuleError {
    about: Gk,
    message: String,
}

impl UserRule {
    /// Returns a rule of CEL expressions, as Flux's `healthCheckExprs`.
    ///
    /// # Errors
    /// An expression does not parse, or is too long or too deep.
    pub fn cel(about: Gk, expressions: &Expressions) -> Result<Self, UserRuleError> {
        match cel::Programs::compile(expressions) {
            Ok(programs) => Ok(Self { about, code: Code::Cel(programs) }),
            Err(message) => Err(UserRuleError { about, message }),
        }
    }

    /// Returns a rule of an Argo CD health script: `obj` is the object, the result a table with `status` and `message`.
    ///
    /// The script has the base, table, string and math functions, no files, no network, and limits of memory
    /// and steps.
    ///
    /// # Errors
    /// The script does not compile.
    #[cfg(feature = "lua")]
    pub fn lua(about: Gk, script: &str) -> Result<Self, UserRuleError> {
        match lua::compiles(script) {
            Ok(()) => Ok(Self { about, code: Code::Lua(script.to_owned()) }),
            Err(message) => Err(UserRuleError { about, message }),
        }
    }

    /// Tells whether the rule is about a kind.
    pub(crate) fn is_about(&self, group: &str, kind: &str) -> bool {
        let wanted: &str = &self.about.kind;
        matches_group(&self.about.group, group) && (wanted == kind || matches!(wanted, "_" | "*"))
    }

    /// Judges an object; a rule that errs gives Unknown and says why.
    pub(crate) fn judge(&self, object: &Object, now: Timestamp) -> Option<Health> {
        let result = match &self.code {
            Code::Cel(programs) => programs.judge(object, now),
            #[cfg(feature = "lua")]
            Code::Lua(script) => lua::judge(script, object),
        };
        Some(result.unwrap_or_else(|message| {
            Health::new(Status::Unknown, format!("the health rule of {} fails: {message}", self.about))
        }))
    }
}
