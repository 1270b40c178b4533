//! The identity card number (居民身份证号码, GB 11643): what it tells of a person, and whether it can
//! be one at all.

use super::day::Day;

/// The kind of an identity card; a certificate without a kind is one.
pub const IDENTITY_CARD: &str = "01";

/// 性别, as an identity card tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sex {
    /// 男.
    Male,
    /// 女.
    Female,
}

/// What a number tells of its person.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdentityCard {
    /// The day of birth.
    pub birth: Day,
    /// 性别.
    pub sex: Sex,
}

/// Why a number is no identity card number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CardFault {
    /// 15 digits: of the first generation, without a check character, not valid since 2013.
    FirstGeneration,
    /// Neither 18 places nor digits where digits belong, or no day of birth.
    Malformed,
    /// The last character is not that of the others: a digit was mistaken.
    Checksum,
}

/// The weights of the first 17 digits (ISO 7064, MOD 11-2).
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// The check character by the weighted sum modulo 11.
const CHECKS: &[u8; 11] = b"10X98765432";

impl IdentityCard {
    /// Reads a number of 18 places.
    pub fn parse(number: &str) -> Result<IdentityCard, CardFault> {
        let places = number.as_bytes();
        if places.len() == 15 && places.iter().all(u8::is_ascii_digit) {
            return Err(CardFault::FirstGeneration);
        }
        let Some(digits) = places.get(..17).filter(|_| places.len() == 18) else {
            return Err(CardFault::Malformed);
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(CardFault::Malformed);
        }
        let part = |range| number.get(range).and_then(|part: &str| part.parse().ok());
        let year: Option<i16> = part(6..10);
        let [month, day] = [part(10..12), part(12..14)].map(|it: Option<i16>| it.unwrap_or(0));
        let birth =
            year.and_then(|year| Day::new(year, month.try_into().ok()?, day.try_into().ok()?));
        let birth = birth.ok_or(CardFault::Malformed)?;
        if check_character(digits) != places[17].to_ascii_uppercase() {
            return Err(CardFault::Checksum);
        }
        let sex = if (digits[16] - b'0').is_multiple_of(2) { Sex::Female } else { Sex::Male };
        Ok(IdentityCard { birth, sex })
    }

    /// Whole years on a day; 0 before the birth.
    pub fn age_on(&self, day: Day) -> u16 {
        let years = day.year() - self.birth.year();
        let is_before_birthday = day.month_day() < self.birth.month_day();
        u16::try_from(years - i16::from(is_before_birthday)).unwrap_or(0)
    }
}

/// The check character of 17 digits.
pub fn check_character(digits: &[u8]) -> u8 {
    let weighted =
        digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight);
    CHECKS[usize::try_from(weighted.sum::<u32>() % 11).expect("a remainder is small")]
}

/// A number as it is compared: in capitals, and one of 15 digits with the century (19, there is no
/// other) and the check character that its person's number of 18 places has.
pub fn comparable(number: &str) -> String {
    let is_first_generation = number.len() == 15 && number.bytes().all(|it| it.is_ascii_digit());
    if !is_first_generation {
        return number.to_uppercase();
    }
    let digits = format!("{}19{}", &number[..6], &number[6..]);
    let check = char::from(check_character(digits.as_bytes()));
    format!("{digits}{check}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_tells_birth_and_sex() {
        // The example of the standard itself.
        let card = IdentityCard::parse("11010519491231002X").ok().unwrap();
        assert_eq!((card.birth, card.sex), (Day::new(1949, 12, 31).unwrap(), Sex::Female));
        assert_eq!(card.age_on(Day::new(2024, 12, 30).unwrap()), 74);
        assert_eq!(card.age_on(Day::new(2024, 12, 31).unwrap()), 75);
        assert_eq!(card.age_on(Day::new(1930, 1, 1).unwrap()), 0);
        assert!(IdentityCard::parse("11010519491231002x").is_ok());
        let man = IdentityCard::parse("440524188001010014").ok().map(|card| card.sex);
        assert_eq!(man, None, "born before 1900");
    }

    #[test]
    fn a_number_of_the_first_generation_is_its_persons_number_of_18_places() {
        assert_eq!(comparable("110105491231002"), "11010519491231002X");
        assert_eq!(comparable("11010519491231002x"), "11010519491231002X");
        for other in ["", "11010549123100X", "证件", "1101054912310022"] {
            assert_eq!(comparable(other), other);
        }
    }

    #[test]
    fn what_is_no_number_says_why() {
        let fault = |number| IdentityCard::parse(number).err();
        assert_eq!(fault("110105491231002"), Some(CardFault::FirstGeneration));
        assert_eq!(fault("110105194912310021"), Some(CardFault::Checksum));
        for number in ["", "1101051949123100", "11010519491331002X", "1101051949123100XX", "证"] {
            assert_eq!(fault(number), Some(CardFault::Malformed), "{number:?}");
        }
    }

    #[test]
    fn one_wrong_digit_or_two_swapped_are_noticed() {
        let number = b"11010519491231002X";
        for place in 0..17 {
            let mut wrong = number[..17].to_vec();
            wrong[place] = if wrong[place] == b'9' { b'0' } else { wrong[place] + 1 };
            assert_ne!(check_character(&wrong), b'X', "place {place}");
            let mut swapped = number[..17].to_vec();
            swapped.swap(place, (place + 1) % 17);
            if swapped != number[..17] && place < 16 {
                assert_ne!(check_character(&swapped), b'X', "places {place} and {}", place + 1);
            }
        }
    }
}
