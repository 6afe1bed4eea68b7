//! `.Files`: what a template may read of its chart.

use std::{any::Any, collections::BTreeMap, rc::Rc, sync::Arc, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use lockstep_gotmpl::{Context, FuncError, Kind, Object, Signature, Str, Type, Value};

use crate::{archive::File, functions::yaml::to_yaml, glob::Glob};

/// `engine.files`: a map from paths to contents. There is no other way to a file, so no path leads out of the chart.
pub(crate) struct ChartFiles(BTreeMap<Str, Arc<[u8]>>);

impl ChartFiles {
    pub(crate) fn new(files: &[File]) -> Self {
        Self(files.iter().map(|file| (file.name.as_str().into(), file.data.clone())).collect())
    }

    fn glob(&self, pattern: &str) -> Self {
        let glob = Glob::new(pattern);
        let matching = self.0.iter().filter(|(name, _)| glob.matches(&name.to_text()));
        Self(matching.map(|(name, data)| (name.clone(), data.clone())).collect())
    }

    /// Makes the map from base names to contents, the contents shown by `show`.
    fn as_map(&self, context: &mut Context, show: impl Fn(&[u8]) -> Str) -> Result<Value, FuncError> {
        let map = lockstep_gotmpl::Map::new();
        for (name, data) in &self.0 {
            context.charge_bytes(data.len())?;
            let name = name.to_text();
            map.insert(name.rsplit('/').next().unwrap_or(&name), Value::Str(show(data)));
        }
        to_yaml(context, &Value::Map(map))
    }

    fn lines(&self, name: &Str) -> Value {
        let data = self.0.get(name).map_or(&[][..], |data| &**data);
        if data.is_empty() {
            return Value::strings(Vec::<Str>::new());
        }
        let data = data.strip_suffix(b"\n").unwrap_or(data);
        Value::strings(data.split(|b| *b == b'\n'))
    }
}

static ONE_TEXT: LazyLock<Signature> = LazyLock::new(|| Signature::new(&[Type::Str]));
static NO_PARAMETERS: LazyLock<Signature> = LazyLock::new(Signature::default);

impl Object for ChartFiles {
    fn type_name(&self) -> &str {
        "engine.files"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn kind(&self) -> Kind {
        Kind::Map
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.0.get(name.as_bytes()).map(|data| Value::Bytes(Rc::from(&**data)))
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        let entry = |(name, data): (&Str, &Arc<[u8]>)| (Value::Str(name.clone()), Value::Bytes(Rc::from(&**data)));
        Some(self.0.iter().map(entry).collect())
    }

    fn zero_entry(&self) -> Value {
        Value::Bytes(Rc::from(&[][..]))
    }

    fn is_true(&self) -> bool {
        !self.0.is_empty()
    }

    fn method(&self, name: &str) -> Option<&Signature> {
        match name {
            "Get" | "GetBytes" | "Glob" | "Lines" => Some(&ONE_TEXT),
            "AsConfig" | "AsSecrets" => Some(&NO_PARAMETERS),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value], context: &mut Context) -> Result<Value, FuncError> {
        let empty = Str::default();
        let argument = args.first().and_then(Value::as_str).unwrap_or(&empty);
        let data = || self.0.get(argument).map_or(&[][..], |data| &**data);
        match name {
            "Get" => {
                context.charge_bytes(data().len())?;
                Ok(Value::Str(data().into()))
            }
            "GetBytes" => Ok(Value::Bytes(Rc::from(data()))),
            "Glob" => {
                context.charge(self.0.len() as u64)?;
                Ok(Value::native(self.glob(&argument.to_text())))
            }
            "Lines" => {
                context.charge_bytes(data().len())?;
                Ok(self.lines(argument))
            }
            "AsConfig" => self.as_map(context, |data| data.into()),
            "AsSecrets" => self.as_map(context, |data| STANDARD.encode(data).into()),
            _ => Err(format!("no method {name}").into()),
        }
    }
}
