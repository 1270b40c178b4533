//! Splitting an amount so that the parts add up to it, to the fen.

use crate::core::money::Fen;

/// Splits `amount` in proportion to `weights`: whole fen down, then one more fen each for the
/// largest remainders, the first of equals first. The parts add up to `amount`, and as long as it
/// is not above the sum of the weights no part is above its weight.
///
/// Without any weight the last part takes everything.
pub(super) fn spread(amount: Fen, weights: &[Fen]) -> Vec<Fen> {
    if let [_] = weights {
        return vec![amount];
    }
    let whole: i128 = weights.iter().map(|weight| i128::from(weight.fen())).sum();
    if amount == Fen::ZERO || whole == 0 {
        let mut parts = vec![Fen::ZERO; weights.len()];
        if let Some(last) = parts.last_mut() {
            *last = amount;
        }
        return parts;
    }
    let products = weights.iter().map(|it| i128::from(it.fen()) * i128::from(amount.fen()));
    let (mut parts, rests): (Vec<i128>, Vec<i128>) =
        products.map(|product| (product / whole, product % whole)).unzip();
    let missing = i128::from(amount.fen()) - parts.iter().sum::<i128>();
    if missing > 0 {
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(rests[*index]));
        for index in order.into_iter().take(usize::try_from(missing).unwrap_or_default()) {
            parts[index] += 1;
        }
    }
    let fen = |part: i128| {
        let part = i64::try_from(part).ok().and_then(Fen::new);
        part.expect("a part lies between zero and the amount")
    };
    parts.into_iter().map(fen).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fen(amounts: &[i64]) -> Vec<Fen> {
        amounts.iter().map(|amount| Fen::new(*amount).unwrap()).collect()
    }

    #[test]
    fn the_largest_remainder_gets_the_odd_fen_and_the_first_of_equals() {
        let parts = |amount, weights: &[i64]| spread(Fen::new(amount).unwrap(), &fen(weights));
        assert_eq!(parts(100, &[1, 1, 1]), fen(&[34, 33, 33]));
        assert_eq!(parts(10, &[3, 0, 4]), fen(&[4, 0, 6]));
        assert_eq!(parts(5, &[0, 0]), fen(&[0, 5]));
        assert_eq!(parts(7, &[9]), fen(&[7]));
    }

    proptest! {
        #[test]
        fn parts_add_up_and_stay_below_their_weights(
            weights in proptest::collection::vec(0i64..1_000_000, 1..20), permille in 0i64..=1000,
        ) {
            let whole: i64 = weights.iter().sum();
            let amount = Fen::new(whole * permille / 1000).unwrap();
            let weights = fen(&weights);
            let parts = spread(amount, &weights);
            prop_assert_eq!(parts.iter().copied().sum::<Fen>(), amount);
            prop_assert!(parts.iter().zip(&weights).all(|(part, weight)| part <= weight));
        }
    }
}
