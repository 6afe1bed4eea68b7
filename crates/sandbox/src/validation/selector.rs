//! Label selectors: their rules, and whether labels match.

use lockstep_object::Value;

use crate::{names, select::Labels};

use super::field::{Causes, Field};

/// What a label selector of an object selects.
pub(crate) enum Selection {
    /// A missing selector selects nothing.
    Nothing,
    /// An empty one selects everything.
    Everything,
    /// Some.
    Some(Labels),
    /// It cannot be read.
    Broken,
}

/// Checks a label selector.
pub(crate) fn check(selector: &Field<'_>, out: &mut Causes) {
    selector.at("matchLabels").labels(out);
    for expression in selector.at("matchExpressions").items() {
        check_expression(&expression, out);
    }
}

fn check_expression(expression: &Field<'_>, out: &mut Causes) {
    let (operator, values, key) = (expression.at("operator"), expression.at("values"), expression.at("key"));
    match operator.text() {
        "In" | "NotIn" => {
            if values.is_empty() {
                out.push(values.required("must be specified when `operator` is 'In' or 'NotIn'"));
            }
        }
        "Exists" | "DoesNotExist" => {
            if !values.is_empty() {
                out.push(values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
            }
        }
        text => out.push(operator.invalid_as(&crate::status::go_quote(text), "not a valid selector operator")),
    }
    key.problems(names::label_key(key.text()), out);
    for value in values.items() {
        value.problems(names::label_value(value.text()), out);
    }
}

/// Reads what a label selector selects.
pub(crate) fn selection(selector: &Field<'_>) -> Selection {
    if !selector.is_set() {
        return Selection::Nothing;
    }
    let mut problems = Vec::new();
    check(selector, &mut problems);
    if !problems.is_empty() {
        return Selection::Broken;
    }
    if selector.at("matchLabels").is_empty() && selector.at("matchExpressions").is_empty() {
        return Selection::Everything;
    }
    Labels::of_selector(selector.value).map_or(Selection::Broken, Selection::Some)
}

impl Selection {
    /// Tells whether these labels are selected; an empty selector is for the caller to judge.
    pub(crate) fn matches(&self, labels: &Value) -> bool {
        match self {
            Self::Nothing | Self::Broken => false,
            Self::Everything => true,
            Self::Some(selector) => selector.matches_labels(labels.as_map()),
        }
    }
}
