//! Functions and conversions.

use super::number::finite;
use super::{Evaluation, Failure, Number, Result, Text, Value};
use crate::{Expr, Function};

impl<'a> Evaluation<'a> {
    pub(super) fn call(
        &mut self,
        function: Function,
        arguments: &'a [Expr],
    ) -> Result<'a, Value<'a>> {
        match arguments {
            [only] => {
                let only = self.eval(only)?;
                self.of_one(function, only)
            }
            [receiver, argument] => {
                let receiver = self.eval(receiver)?.text()?;
                let argument = self.eval(argument)?.text()?;
                self.of_two(function, &receiver, &argument)
            }
            _ => Err(Failure::Malformed.into()),
        }
    }

    fn of_one(&mut self, function: Function, value: Value<'a>) -> Result<'a, Value<'a>> {
        if let Value::Text(text) = &value {
            self.charge_bytes(text.len())?;
        }
        match function {
            Function::Size => size(&value),
            Function::Type => Ok(Value::Text(Text::Borrowed(value.type_name()))),
            Function::Int => to_int(&value),
            Function::Double => to_double(&value),
            Function::String => to_string(value),
            Function::LowerAscii => Ok(Value::Text(value.text()?.to_ascii_lowercase().into())),
            Function::UpperAscii => Ok(Value::Text(value.text()?.to_ascii_uppercase().into())),
            Function::Trim => Ok(Value::Text(match value.text()? {
                Text::Borrowed(text) => Text::Borrowed(text.trim()),
                Text::Owned(text) => Text::from(text.trim().to_owned()),
            })),
            Function::StartsWith | Function::EndsWith | Function::Contains | Function::Matches => {
                Err(Failure::Malformed.into())
            }
        }
    }

    fn of_two(&mut self, function: Function, text: &str, other: &str) -> Result<'a, Value<'a>> {
        let found = match function {
            Function::StartsWith | Function::EndsWith => {
                self.charge_bytes(text.len().min(other.len()))?;
                if function == Function::StartsWith {
                    text.starts_with(other)
                } else {
                    text.ends_with(other)
                }
            }
            Function::Contains => {
                self.charge_bytes(text.len().saturating_add(other.len()))?;
                text.contains(other)
            }
            Function::Matches => {
                let pattern = self.regexes.get(other).ok_or(Failure::Malformed)?;
                self.charge(pattern.cost(text.len()))?;
                pattern.is_match(text)
            }
            _ => return Err(Failure::Malformed.into()),
        };
        Ok(Value::Bool(found))
    }
}

/// Code points of a string, entries of a list or map.
fn size<'a>(value: &Value<'a>) -> Result<'a, Value<'a>> {
    let size = match value {
        Value::Text(text) => text.chars().count(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        other => return Err(other.is_no("string, list or map").into()),
    };
    let size = i64::try_from(size).map_err(|_| Failure::Overflow)?;
    Ok(Value::Number(Number::Int(size)))
}

fn to_int<'a>(value: &Value<'a>) -> Result<'a, Value<'a>> {
    Ok(Value::Number(match value {
        Value::Number(number) => number.to_int()?,
        Value::Text(text) => Number::Int(text.parse().map_err(|_| Failure::Conversion("int"))?),
        other => return Err(other.is_no("number or string").into()),
    }))
}

/// A text that spells no finite number is an error: a comparison with NaN is false either way, and a
/// `deny` must not be passed by with it.
fn to_double<'a>(value: &Value<'a>) -> Result<'a, Value<'a>> {
    Ok(Value::Number(match value {
        Value::Number(number) => Number::Double(number.nearest_double()),
        Value::Text(text) => {
            let double = text.parse().map_err(|_| Failure::Conversion("double"))?;
            finite(double).map_err(|_| Failure::Conversion("double"))?
        }
        other => return Err(other.is_no("number or string").into()),
    }))
}

fn to_string(value: Value<'_>) -> Result<'_, Value<'_>> {
    Ok(Value::Text(match value {
        Value::Text(text) => text,
        Value::Bool(bool) => Text::Borrowed(if bool { "true" } else { "false" }),
        Value::Number(Number::Int(int)) => int.to_string().into(),
        Value::Number(Number::Uint(uint)) => uint.to_string().into(),
        Value::Number(Number::Double(double)) => double.to_string().into(),
        other => return Err(other.is_no("bool, number or string").into()),
    }))
}
