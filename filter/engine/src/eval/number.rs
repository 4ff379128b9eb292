//! Numbers: compared by value across types, computed with checks.

use std::cmp::Ordering;

use super::Failure;
use crate::BinaryOp;

/// A number of a condition. JSON does not tell `int` from `uint`, so an integer is an `int` whenever it
/// fits, and a `uint` only above.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Int(i64),
    Uint(u64),
    /// Always finite.
    Double(f64),
}

impl Number {
    pub(crate) fn from_json(number: &serde_json::Number) -> Result<Self, Failure<'static>> {
        if let Some(int) = number.as_i64() {
            Ok(Self::Int(int))
        } else if let Some(uint) = number.as_u64() {
            Ok(Self::Uint(uint))
        } else {
            number
                .as_f64()
                .filter(|double| double.is_finite())
                .map(Self::Double)
                .ok_or(Failure::Number)
        }
    }

    /// A number of a request or a token. Many a reader has nothing but doubles: what it would round is judged
    /// by nobody, so that nobody acts on another number than the one that was judged.
    pub(crate) fn from_outside(number: &serde_json::Number) -> Result<Self, Failure<'static>> {
        let number = Self::from_json(number)?;
        match number.exact_double() {
            Ok(_) => Ok(number),
            Err(_) => Err(Failure::Unsafe),
        }
    }

    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
        }
    }

    /// The value of an integer type.
    pub(crate) fn integer(self) -> Option<i128> {
        match self {
            Self::Int(int) => Some(int.into()),
            Self::Uint(uint) => Some(uint.into()),
            Self::Double(_) => None,
        }
    }

    /// The value, when it is whole and no larger than an index can be.
    pub(crate) fn index(self) -> Option<usize> {
        match self {
            Self::Double(double) if double.fract() == 0.0 => usize::try_from(double as i128).ok(),
            Self::Double(_) => None,
            Self::Int(_) | Self::Uint(_) => {
                self.integer().and_then(|int| usize::try_from(int).ok())
            }
        }
    }

    /// The nearest double.
    pub(crate) fn nearest_double(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Uint(uint) => uint as f64,
            Self::Double(double) => double,
        }
    }

    fn exact_double(self) -> Result<f64, Failure<'static>> {
        let double = self.nearest_double();
        match self.integer() {
            Some(integer) if double as i128 != integer => Err(Failure::Inexact),
            _ => Ok(double),
        }
    }

    /// Compares by value, without loss.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Double(left), Self::Double(right)) => left.partial_cmp(&right),
            (Self::Double(left), right) => right.compare(Self::Double(left)).map(Ordering::reverse),
            (left, Self::Double(right)) => {
                left.integer().and_then(|left| compare_mixed(left, right))
            }
            (left, right) => Some(left.integer().cmp(&right.integer())),
        }
    }

    /// `+ - * / %`. An overflow is an error, and so is a double that is no longer finite.
    ///
    /// CEL has no arithmetic between integers and doubles. JSON writes 5 and 5.0 for the same amount, so
    /// here the integer becomes a double when that loses nothing.
    pub(crate) fn compute(self, op: BinaryOp, other: Self) -> Result<Self, Failure<'static>> {
        if let (Some(left), Some(right)) = (self.integer(), other.integer()) {
            let result = integers(op, left, right)?;
            return match (self, other) {
                (Self::Int(_), Self::Int(_)) => narrow_int(result),
                _ => narrow_int(result).or_else(|_| narrow_uint(result)),
            };
        }
        let (left, right) = (self.exact_double()?, other.exact_double()?);
        let result = match op {
            BinaryOp::Add => left + right,
            BinaryOp::Subtract => left - right,
            BinaryOp::Multiply => left * right,
            BinaryOp::Divide if right == 0.0 => return Err(Failure::DivisionByZero),
            BinaryOp::Divide => left / right,
            _ => return Err(operands(op, self, other)),
        };
        finite(result)
    }

    pub(crate) fn negate(self) -> Result<Self, Failure<'static>> {
        match self {
            Self::Int(int) => int.checked_neg().map(Self::Int).ok_or(Failure::Overflow),
            Self::Uint(uint) => narrow_int(-i128::from(uint)),
            Self::Double(double) => Ok(Self::Double(-double)),
        }
    }

    /// `int(x)`: a double is cut towards zero.
    pub(crate) fn to_int(self) -> Result<Self, Failure<'static>> {
        match self {
            // Saturates, so what is out of range stays so.
            Self::Double(double) => narrow_int(double.trunc() as i128),
            Self::Int(_) => Ok(self),
            Self::Uint(uint) => narrow_int(uint.into()),
        }
    }
}

/// A double, refused when it is not finite.
pub(crate) fn finite(double: f64) -> Result<Number, Failure<'static>> {
    if double.is_finite() {
        Ok(Number::Double(double))
    } else {
        Err(Failure::Overflow)
    }
}

fn integers(op: BinaryOp, left: i128, right: i128) -> Result<i128, Failure<'static>> {
    let result = match op {
        BinaryOp::Add => left.checked_add(right),
        BinaryOp::Subtract => left.checked_sub(right),
        BinaryOp::Multiply => left.checked_mul(right),
        BinaryOp::Divide | BinaryOp::Remainder if right == 0 => {
            return Err(Failure::DivisionByZero);
        }
        BinaryOp::Divide => left.checked_div(right),
        BinaryOp::Remainder => left.checked_rem(right),
        _ => return Err(Failure::Malformed),
    };
    result.ok_or(Failure::Overflow)
}

fn narrow_int(value: i128) -> Result<Number, Failure<'static>> {
    i64::try_from(value)
        .map(Number::Int)
        .map_err(|_| Failure::Overflow)
}

fn narrow_uint(value: i128) -> Result<Number, Failure<'static>> {
    u64::try_from(value)
        .map(Number::Uint)
        .map_err(|_| Failure::Overflow)
}

fn operands(op: BinaryOp, left: Number, right: Number) -> Failure<'static> {
    Failure::Operands {
        operator: super::operator_name(op),
        left: left.type_name(),
        right: right.type_name(),
    }
}

fn compare_mixed(integer: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    let whole = double.trunc();
    // The cast saturates far outside what an integer of ours can be, so the order holds there too.
    match integer.cmp(&(whole as i128)) {
        Ordering::Equal => 0.0.partial_cmp(&(double - whole)),
        order => Some(order),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_without_loss() {
        let check = |left: Number, right: Number, expected: Ordering| {
            assert_eq!(left.compare(right), Some(expected), "{left:?} {right:?}");
            assert_eq!(
                right.compare(left),
                Some(expected.reverse()),
                "{right:?} {left:?}"
            );
        };
        use Number::{Double, Int, Uint};
        use Ordering::{Equal, Greater, Less};
        check(Int(1), Double(1.0), Equal);
        check(Int(1), Double(1.5), Less);
        check(Int(-1), Double(-1.5), Greater);
        check(
            Int(9_007_199_254_740_993),
            Double(9_007_199_254_740_992.0),
            Greater,
        );
        check(Int(i64::MAX), Double(9_223_372_036_854_775_808.0), Less);
        check(Int(i64::MIN), Double(-9_223_372_036_854_775_808.0), Equal);
        check(Uint(u64::MAX), Int(-1), Greater);
        check(Uint(u64::MAX), Double(18_446_744_073_709_551_616.0), Less);
        check(Int(0), Double(-0.0), Equal);
        check(Int(5), Double(1e300), Less);
        check(Int(5), Double(-1e300), Greater);
    }
}
