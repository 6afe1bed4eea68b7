//! Runs a rule.

use lockstep_object::{Object, Value};

use super::{
    functions,
    item::Item,
    parse::Rule,
    syntax::{ConditionArm, Expr, ListFunction, Operator, Part, StatusOf, Step, SwitchArm, Verdict},
};
use crate::{Health, Status};

/// How many steps and expressions a rule may take: enough for thousands of conditions, an end for anything else.
const FUEL: u32 = 1_000_000;

/// Judges an object by a rule; `None` if the rule ends without a verdict.
pub fn evaluate(rule: &Rule, object: &Object) -> Option<Health> {
    let mut run = Run { object, names: Vec::new(), set: None, fuel: FUEL };
    let end = run.steps(&rule.steps);
    if run.fuel == 0 {
        return Some(Health::new(Status::Unknown, "the health rule takes too long on this object"));
    }
    match end {
        Flow::End(health) => Some(health),
        Flow::Next | Flow::Stop => run.set,
    }
}

/// What follows a step.
enum Flow {
    Next,
    Stop,
    End(Health),
}

struct Run<'a, 'r> {
    object: &'a Object,
    names: Vec<(&'r str, Item<'a>)>,
    set: Option<Health>,
    fuel: u32,
}

impl<'a, 'r> Run<'a, 'r> {
    fn steps(&mut self, steps: &'r [Step]) -> Flow {
        let known = self.names.len();
        for step in steps {
            match self.step(step) {
                Flow::Next => {}
                end => return end,
            }
        }
        self.names.truncate(known);
        Flow::Next
    }

    fn step(&mut self, step: &'r Step) -> Flow {
        if !self.burn() {
            return Flow::Stop;
        }
        match step {
            Step::End(verdict) => return self.verdict(verdict).map_or(Flow::Stop, Flow::End),
            Step::Set(verdict) => self.set = self.verdict(verdict),
            Step::Say(message) => {
                let message = self.print(message);
                if let Some(health) = &mut self.set {
                    health.message = message;
                }
            }
            Step::Stop => return Flow::Stop,
            Step::Let(name, value) => {
                let value = self.expr(value);
                self.names.push((name, value));
            }
            Step::If(condition, then, otherwise) => {
                let chosen = if self.expr(condition).is_true() { then } else { otherwise };
                return self.steps(chosen);
            }
            Step::Each(name, list, steps) => return self.each(name, list, |run, _| run.steps(steps)),
            Step::Conditions(list, arms) => {
                return self.each("c", list, |run, condition| run.condition(condition, arms));
            }
            Step::Switch(value, arms) => return self.switch(value, arms),
        }
        Flow::Next
    }

    fn each(&mut self, name: &'r str, list: &'r Expr, mut body: impl FnMut(&mut Self, &Item<'a>) -> Flow) -> Flow {
        for item in self.expr(list).items() {
            self.names.push((name, item.clone()));
            let flow = body(self, &item);
            self.names.pop();
            match flow {
                Flow::Next => {}
                end => return end,
            }
        }
        Flow::Next
    }

    fn condition(&mut self, condition: &Item<'a>, arms: &'r [ConditionArm]) -> Flow {
        for arm in arms {
            let fits = fits(&arm.types, condition, "type")
                && fits(&arm.statuses, condition, "status")
                && fits(&arm.reasons, condition, "reason");
            if fits && arm.guard.as_ref().is_none_or(|guard| self.expr(guard).is_true()) {
                return self.steps(&arm.steps);
            }
        }
        Flow::Next
    }

    fn switch(&mut self, value: &'r Expr, arms: &'r [SwitchArm]) -> Flow {
        let value = self.expr(value);
        let text = match &value {
            Item::Nil => None,
            value => {
                let mut text = String::new();
                value.print(&mut text);
                Some(text)
            }
        };
        let arm = arms.iter().find(|arm| {
            arm.values.is_empty() || text.as_ref().is_some_and(|text| arm.values.iter().any(|known| known == text))
        });
        arm.map_or(Flow::Next, |arm| self.steps(&arm.steps))
    }

    fn verdict(&mut self, verdict: &'r Verdict) -> Option<Health> {
        let message = match &verdict.message {
            Some(message) => self.print(message),
            None => {
                self.names.iter().rev().find(|(name, _)| *name == "c").map_or_else(String::new, |(_, condition)| {
                    condition.field("message").as_text().unwrap_or_default().to_owned()
                })
            }
        };
        let status = match &verdict.status {
            StatusOf::Fixed(status) => *status,
            StatusOf::Computed(word) => match self.expr(word).as_text().map(str::parse) {
                Some(Ok(status)) => status,
                _ => {
                    return Some(Health::new(
                        Status::Unknown,
                        "the object's own status is none of the health statuses",
                    ));
                }
            },
        };
        Some(Health { status, message })
    }

    fn print(&mut self, expr: &'r Expr) -> String {
        let mut text = String::new();
        self.expr(expr).print(&mut text);
        text
    }

    fn burn(&mut self) -> bool {
        self.fuel = self.fuel.saturating_sub(1);
        self.fuel > 0
    }

    fn expr(&mut self, expr: &'r Expr) -> Item<'a> {
        if !self.burn() {
            return Item::Nil;
        }
        match expr {
            Expr::Nil => Item::Nil,
            Expr::Bool(truth) => Item::Bool(*truth),
            Expr::Number(number) => Item::Number(*number),
            Expr::Text(parts) => self.text(parts),
            Expr::List(items) => Item::List(items.iter().map(|item| self.expr(item)).collect()),
            Expr::Name(name) => self.name(name),
            Expr::Field(of, name) => self.expr(of).field(name),
            Expr::Index(of, index) => {
                let of = self.expr(of);
                index_of(&of, &self.expr(index))
            }
            Expr::Not(of) => Item::Bool(!self.expr(of).is_true()),
            Expr::Minus(of) => self.expr(of).as_number().map_or(Item::Nil, |number| Item::Number(-number)),
            Expr::Binary(operator, left, right) => self.binary(*operator, left, right),
            Expr::Call(function, arguments) => {
                let arguments: Vec<Item<'a>> = arguments.iter().map(|argument| self.expr(argument)).collect();
                functions::call(*function, &arguments, self.object)
            }
            Expr::Over(function, list, name, body) => self.over(*function, list, name, body),
        }
    }

    fn text(&mut self, parts: &'r [Part]) -> Item<'a> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Plain(plain) => text.push_str(plain),
                Part::Hole(hole) => self.expr(hole).print(&mut text),
            }
        }
        text.into()
    }

    fn name(&self, name: &str) -> Item<'a> {
        if name == "said" {
            return self.set.as_ref().map_or(Item::Nil, |health| health.message.clone().into());
        }
        let known = self.names.iter().rev().find(|(known, _)| *known == name);
        known.map_or_else(|| self.object.root().get(name).into(), |(_, item)| item.clone())
    }

    fn binary(&mut self, operator: Operator, left: &'r Expr, right: &'r Expr) -> Item<'a> {
        let left = self.expr(left);
        match operator {
            Operator::Or if left.is_true() => return left,
            Operator::And if !left.is_true() => return left,
            _ => {}
        }
        let right = self.expr(right);
        match operator {
            Operator::Or | Operator::And => right,
            Operator::Equal => Item::Bool(left == right),
            Operator::NotEqual => Item::Bool(left != right),
            Operator::In => Item::Bool(right.items().contains(&left)),
            Operator::Add => functions::arithmetic(&left, &right, |a, b| a + b),
            Operator::Subtract => functions::arithmetic(&left, &right, |a, b| a - b),
            Operator::Less => functions::compare(&left, &right, std::cmp::Ordering::is_lt),
            Operator::LessEqual => functions::compare(&left, &right, std::cmp::Ordering::is_le),
            Operator::Greater => functions::compare(&left, &right, std::cmp::Ordering::is_gt),
            Operator::GreaterEqual => functions::compare(&left, &right, std::cmp::Ordering::is_ge),
        }
    }

    fn over(&mut self, function: ListFunction, list: &'r Expr, name: &'r str, body: &'r Expr) -> Item<'a> {
        let items = self.expr(list).items();
        let results: Vec<Item<'a>> = items
            .iter()
            .enumerate()
            .map(|(place, item)| {
                self.names.push(("position", Item::Number((place + 1) as f64)));
                self.names.push((name, item.clone()));
                let result = self.expr(body);
                self.names.truncate(self.names.len() - 2);
                result
            })
            .collect();
        functions::over(function, items, results)
    }
}

fn fits(words: &[String], condition: &Item<'_>, field: &str) -> bool {
    if words.is_empty() {
        return true;
    }
    let value = condition.field(field);
    let text = value.as_text();
    words.iter().any(|word| match word.strip_prefix('!') {
        Some(other) => text != Some(other),
        None => text == Some(word),
    })
}

fn index_of<'a>(of: &Item<'a>, index: &Item<'a>) -> Item<'a> {
    match (of, index) {
        (of, Item::Text(name)) => of.field(name),
        (Item::List(_) | Item::Node(Value::List(_)), Item::Number(place)) => {
            let mut items = of.items();
            let place = if *place < 0.0 { items.len() as f64 + place } else { *place };
            if place >= 0.0 && place < items.len() as f64 { items.swap_remove(place as usize) } else { Item::Nil }
        }
        _ => Item::Nil,
    }
}
