//! Statistics over the rounds.

/// The median; 0 of nothing.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(at(middle.saturating_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

/// A median with what lies around it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Of these values; nothing of nothing.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        (!values.is_empty()).then(|| Self {
            median: median(values),
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// Compares two series round by round, since what disturbs a round disturbs both sides of it.
#[must_use]
pub fn by_round(of: &[f64], with: &[f64], compare: impl Fn(f64, f64) -> f64) -> Option<Spread> {
    let compared: Vec<f64> = of
        .iter()
        .zip(with)
        .map(|(of, with)| compare(*of, *with))
        .collect();
    Spread::of(&compared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, expected) in [
            (vec![], 0.0),
            (vec![3.0], 3.0),
            (vec![4.0, 1.0], 2.5),
            (vec![9.0, 1.0, 2.0], 2.0),
            (vec![1.0, 9.0, 2.0, 4.0], 3.0),
        ] {
            assert_eq!(median(&values), expected, "{values:?}");
        }
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // The machine was twice as slow in the second round; the ratio does not see that.
        let spread = by_round(&[15.0, 30.0, 14.0], &[10.0, 20.0, 10.0], |of, with| {
            of / with
        })
        .unwrap();
        assert_eq!(
            spread,
            Spread {
                median: 1.5,
                min: 1.4,
                max: 1.5
            }
        );
        assert_eq!(by_round(&[], &[1.0], |of, with| of / with), None);
    }
}
