//! Exact decimal numbers, as shopspring/decimal 1.4 computes with them.

use num_bigint::{BigInt, Sign};

use crate::{error::FuncError, fmt::format_float};

/// Digits after the point that a division keeps.
const DIVISION_DIGITS: i64 = 16;

/// `digits × 10^exponent`.
#[derive(Clone)]
pub(super) struct Decimal {
    digits: BigInt,
    exponent: i64,
}

impl Decimal {
    /// Takes the shortest decimal that reads back as the float.
    pub(super) fn from_float(f: f64) -> Result<Self, FuncError> {
        if !f.is_finite() {
            return Err(format!("Cannot create a Decimal from {}", format_float(f, 'g', None)).into());
        }
        let text = format!("{f:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let fraction = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i64);
        let digits = mantissa.replace('.', "").parse().unwrap_or_default();
        Ok(Self { digits, exponent: exponent.parse::<i64>().unwrap_or(0) - fraction })
    }

    pub(super) fn to_float(&self) -> f64 {
        format!("{}e{}", self.digits, self.exponent).parse().unwrap_or(0.0)
    }

    /// Brings both to the lower exponent.
    fn align(&self, other: &Self) -> (BigInt, BigInt, i64) {
        let exponent = self.exponent.min(other.exponent);
        let scale = |d: &Self| &d.digits * power(d.exponent - exponent);
        (scale(self), scale(other), exponent)
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let (a, b, exponent) = self.align(other);
        Self { digits: a + b, exponent }
    }

    pub(super) fn sub(&self, other: &Self) -> Self {
        let (a, b, exponent) = self.align(other);
        Self { digits: a - b, exponent }
    }

    pub(super) fn mul(&self, other: &Self) -> Self {
        Self { digits: &self.digits * &other.digits, exponent: self.exponent + other.exponent }
    }

    /// Divides to 16 digits after the point, halves away from zero.
    pub(super) fn div(&self, other: &Self) -> Result<Self, FuncError> {
        if other.digits.sign() == Sign::NoSign {
            return Err("decimal division by 0".into());
        }
        let shift = self.exponent - other.exponent + DIVISION_DIGITS;
        let (a, b) = match shift {
            0.. => (&self.digits * power(shift), other.digits.clone()),
            _ => (self.digits.clone(), &other.digits * power(-shift)),
        };
        let mut digits = &a / &b;
        let rest = &a - &digits * &b;
        if rest.magnitude() * 2u32 >= *b.magnitude() {
            digits += if (a.sign() == Sign::Minus) == (b.sign() == Sign::Minus) { 1 } else { -1 };
        }
        Ok(Self { digits, exponent: -DIVISION_DIGITS })
    }
}

fn power(exponent: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(0))
}
