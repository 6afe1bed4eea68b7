//! `range` over lists, maps, integers and functions.

use super::{At, Flow, Result, State};
use crate::{fmt::sprint, parse::Branch, types::Type, value::Value};

impl<'t> State<'t, '_> {
    pub(super) fn walk_range(&mut self, dot: &Value, branch: &'t Branch) -> Result<Flow> {
        self.node = At::Branch("range", branch);
        let mark = self.vars.len();
        let value = self.eval_pipeline(dot, &branch.pipe)?;
        let ran = self.iterate(branch, &value)?;
        let mut flow = Flow::Next;
        if !ran && let Some(list) = &branch.else_list {
            flow = self.walk_list(dot, list)?;
            // Go recovers a `break` of the else list as one of this range; `continue` goes on to the range around.
            if flow == Flow::Break {
                flow = Flow::Next;
            }
        }
        self.vars.truncate(mark);
        Ok(flow)
    }

    /// Runs the list for each element; false when there is none.
    fn iterate(&mut self, branch: &'t Branch, value: &Value) -> Result<bool> {
        let count = |n: u64, make: &dyn Fn(u64) -> Value, state: &mut Self| {
            if branch.pipe.decl.len() > 1 {
                let shown = sprint(std::slice::from_ref(value));
                return state.fail(format!("can't use {shown} to iterate over more than one variable"));
            }
            state.each(branch, false, (0..n).map(|i| (Value::Invalid, make(i))))
        };
        match value {
            Value::Int(n) => count((*n).max(0) as u64, &|i| Value::Int(i as i64), self),
            Value::Int64(n) => count((*n).max(0) as u64, &|i| Value::Int64(i as i64), self),
            Value::Int32(n) => count((*n).max(0) as u64, &|i| Value::Int32(i as i32), self),
            Value::Uint8(n) => count(u64::from(*n), &|i| Value::Uint8(i as u8), self),
            Value::Uint64(n) => count(*n, &Value::Uint64, self),
            Value::Duration(n) => count(n.0.max(0) as u64, &|i| Value::Duration(crate::time::Duration(i as i64)), self),
            Value::List(list) => {
                let list = list.clone();
                self.each(
                    branch,
                    list.element() == Type::Any,
                    list.items().iter().enumerate().map(|(i, v)| (Value::Int(i as i64), v.clone())),
                )
            }
            Value::Bytes(bytes) => self.each(
                branch,
                false,
                bytes.iter().enumerate().map(|(i, b)| (Value::Int(i as i64), Value::Uint8(*b))),
            ),
            Value::Map(map) => self.each(
                branch,
                map.element() == Type::Any,
                map.entries().into_iter().map(|(k, v)| (Value::Str(k), v)),
            ),
            Value::Invalid | Value::Nil => Ok(false),
            Value::Native(object) => match object.entries() {
                Some(entries) => self.each(branch, false, entries.into_iter()),
                None => self.cannot(value),
            },
            _ => self.cannot(value),
        }
    }

    fn cannot<T>(&self, value: &Value) -> Result<T> {
        self.fail(format!("range can't iterate over {}", sprint(std::slice::from_ref(value))))
    }

    fn each(&mut self, branch: &'t Branch, boxed: bool, pairs: impl Iterator<Item = (Value, Value)>) -> Result<bool> {
        let mark = self.vars.len();
        let mut ran = false;
        for (index, element) in pairs {
            self.step()?;
            ran = true;
            self.bind(branch, index, &element, boxed)?;
            let outer = std::mem::replace(&mut self.boxed_dot, boxed);
            let flow = self.walk_list(&element, &branch.list)?;
            self.boxed_dot = outer;
            self.vars.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(ran)
    }

    /// Sets the variables of the clause.
    fn bind(&mut self, branch: &Branch, index: Value, element: &Value, boxed: bool) -> Result<()> {
        match (branch.pipe.decl.as_slice(), branch.pipe.assign) {
            ([], _) => {}
            ([one], true) => self.set_var(one.id, &one.text, element.clone(), boxed)?,
            ([one, two, ..], true) => {
                self.set_var(one.id, &one.text, index, false)?;
                self.set_var(two.id, &two.text, element.clone(), boxed)?;
            }
            ([_], false) => self.set_top(1, element.clone(), boxed),
            ([_, _, ..], false) => {
                self.set_top(1, element.clone(), boxed);
                self.set_top(2, index, false);
            }
        }
        Ok(())
    }

    fn set_top(&mut self, from_top: usize, value: Value, boxed: bool) {
        let at = self.vars.len() - from_top;
        (self.vars[at].value, self.vars[at].boxed) = (value, boxed);
    }
}
