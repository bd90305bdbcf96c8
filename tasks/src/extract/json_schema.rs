//! Fields from a JSON Schema.

use serde_json::{Map, Value};

use super::schema::{AnswerField, AnswerSchema, FieldType};

/// References that lead to references, at most.
const DEPTH: usize = 8;

impl AnswerSchema {
    /// The fields of a JSON Schema, as people write it or as pydantic, zod and others
    /// print it: an object whose properties are texts, numbers, booleans, enumerations
    /// or lists of them. Properties that are not required, or may be `null`, become
    /// optional. References into the schema itself are followed; a schema wrapped as for
    /// a server (`{"name": …, "schema": …}`) is unwrapped. Bounds, patterns and formats
    /// are not checked.
    ///
    /// # Errors
    /// Which part is no such thing, in words.
    ///
    /// ```
    /// use shiftproof_tasks::{AnswerSchema, FieldType};
    ///
    /// let schema = serde_json::json!({
    ///     "type": "object",
    ///     "properties": {"total": {"type": "number"}, "due": {"type": ["string", "null"]}},
    ///     "required": ["total", "due"],
    /// });
    /// let schema = AnswerSchema::from_json_schema(&schema).unwrap();
    /// assert_eq!(schema.fields["total"].kind, FieldType::Number);
    /// assert!(schema.fields["due"].optional && !schema.fields["total"].optional);
    /// ```
    pub fn from_json_schema(schema: &Value) -> Result<Self, String> {
        let inner = ["/json_schema/schema", "/schema"]
            .iter()
            .find_map(|path| schema.pointer(path).filter(|inner| inner.is_object()));
        let root = inner.unwrap_or(schema);
        let reader = SchemaReader { root };
        let (object, _) = reader.resolved(root)?;
        let Some(Value::Object(properties)) = object.get("properties") else {
            return Err(
                "it describes no object with properties: {\"type\": \"object\", \"properties\": …}"
                    .into(),
            );
        };
        let required: Vec<&str> = match object.get("required") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if let Some(unknown) = required
            .iter()
            .find(|name| !properties.contains_key(**name))
        {
            return Err(format!(
                "{unknown:?} is required, and there is no such property"
            ));
        }
        let fields = properties.iter().map(|(name, value)| {
            let mut field = reader
                .field(value)
                .map_err(|why| format!("the property {name:?}: {why}"))?;
            field.optional |= !required.contains(&name.as_str());
            Ok((name.clone(), field))
        });
        let fields = fields.collect::<Result<_, String>>()?;
        Ok(Self { fields })
    }
}

struct SchemaReader<'a> {
    root: &'a Value,
}

impl<'a> SchemaReader<'a> {
    /// A schema without references and alternatives to `null`, and whether it had such.
    fn resolved(&self, schema: &'a Value) -> Result<(&'a Map<String, Value>, bool), String> {
        let mut schema = schema;
        let mut nullable = false;
        for _ in 0..DEPTH {
            let Value::Object(map) = schema else {
                return Err("it is no schema (an object is needed)".into());
            };
            if let Some(Value::String(reference)) = map.get("$ref") {
                schema = reference
                    .strip_prefix('#')
                    .and_then(|path| self.root.pointer(path))
                    .ok_or_else(|| {
                        format!("the reference {reference:?} leads nowhere in the file")
                    })?;
                continue;
            }
            let either = ["anyOf", "oneOf", "allOf"]
                .iter()
                .find_map(|key| map.get(*key)?.as_array());
            let Some(either) = either else {
                return Ok((map, nullable));
            };
            let null = |one: &&Value| one.get("type").and_then(Value::as_str) == Some("null");
            let rest: Vec<&Value> = either.iter().filter(|one| !null(one)).collect();
            nullable |= rest.len() < either.len();
            let [only] = rest.as_slice() else {
                return Err("it may be several things; a field has one type".into());
            };
            schema = *only;
        }
        Err("its references lead in a circle".into())
    }

    fn field(&self, schema: &'a Value) -> Result<AnswerField, String> {
        let (own, mut optional) = self.resolved(schema)?;
        optional |= own.get("nullable") == Some(&Value::Bool(true));
        let types: Vec<&str> = match own.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        optional |= types.contains(&"null");
        let types: Vec<&str> = types.into_iter().filter(|name| *name != "null").collect();
        let values = match (own.get("enum"), own.get("const")) {
            (Some(Value::Array(values)), _) => Some(values.clone()),
            (None, Some(value)) => Some(vec![value.clone()]),
            _ => None,
        };
        let kind = if let Some(values) = values {
            optional |= values.contains(&Value::Null);
            let texts = values.iter().filter(|value| !value.is_null());
            let texts: Option<Vec<String>> = texts
                .map(|value| value.as_str().map(str::to_owned))
                .collect();
            FieldType::Enum(texts.ok_or("its enum holds something other than texts")?)
        } else {
            match types.as_slice() {
                ["string"] => FieldType::String,
                ["number"] => FieldType::Number,
                ["integer"] => FieldType::Integer,
                ["boolean"] => FieldType::Boolean,
                ["array"] => self.list(own)?,
                ["object"] => {
                    return Err(
                        "it is an object itself; name its parts as fields of their own, such as \
                         address_city"
                            .into(),
                    );
                }
                [] => return Err("it has no type".into()),
                [other] => return Err(format!("there is no type {other:?}")),
                _ => return Err("it may be several things; a field has one type".into()),
            }
        };
        let description = schema.get("description").or(own.get("description"));
        Ok(AnswerField {
            optional,
            description: description.and_then(Value::as_str).map(str::to_owned),
            ..AnswerField::new(kind)
        })
    }

    fn list(&self, own: &'a Map<String, Value>) -> Result<FieldType, String> {
        let Some(items) = own.get("items") else {
            return Ok(FieldType::List(Box::new(FieldType::String)));
        };
        let items = self
            .field(items)
            .map_err(|why| format!("its items: {why}"))?;
        if matches!(items.kind, FieldType::List(_)) {
            return Err("its items are lists themselves".into());
        }
        Ok(FieldType::List(Box::new(items.kind)))
    }
}
