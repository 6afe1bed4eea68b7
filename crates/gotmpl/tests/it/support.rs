use std::sync::Arc;

use lockstep_gotmpl::{
    Context, Error, Functions, Limits, MissingKey, Options, Signature, Str, Templates, Type, Value, json,
};

/// Gives sprig with `include` and `tpl`, as a caller adds them.
pub fn functions() -> Arc<Functions> {
    let mut functions = Functions::sprig();
    let signature = Signature::new(&[Type::Str, Type::Any]);
    functions.add("include", signature.clone(), |context, args| {
        let name = args[0].as_str().unwrap().to_string();
        Ok(Value::Str(context.execute(&name, &args[1])?))
    });
    functions.add("tpl", signature, |context, args| {
        let text = args[0].as_str().unwrap().to_string();
        Ok(Value::Str(context.execute_text("tpl", &text, &args[1])?))
    });
    Arc::new(functions)
}

/// Renders a template over JSON data with small limits.
pub fn render_with(template: &str, data: &str, limits: Limits) -> Result<Str, Error> {
    let mut templates = Templates::new("root", functions(), MissingKey::Zero);
    templates.parse("t.yaml", template)?;
    let data = json::decode(&data.into()).unwrap();
    let options = Options { limits, seed: 7, now: 1_700_000_000 };
    let mut context = Context::new(Arc::new(templates), &options);
    let result = context.execute("t.yaml", &data);
    context.break_cycles();
    result
}

pub const SMALL: Limits = Limits { fuel: 3_000_000, depth: 200, output: 1 << 20, string: 1 << 20 };

pub fn render(template: &str, data: &str) -> Result<String, String> {
    render_with(template, data, SMALL).map(|text| text.to_string()).map_err(|error| error.to_string())
}

/// Checks cases of template, data and output.
pub fn check(cases: &[(&str, &str, &str)]) {
    for (template, data, expected) in cases {
        assert_eq!(render(template, data).as_deref(), Ok(*expected), "{template}");
    }
}

/// Checks cases of template, data and error.
pub fn check_errors(cases: &[(&str, &str, &str)]) {
    for (template, data, expected) in cases {
        assert_eq!(render(template, data), Err((*expected).to_owned()), "{template}");
    }
}
