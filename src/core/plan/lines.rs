//! Which fee lines a plan means, and what it does with them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::core::money::Fen;
use crate::core::settlement::Line;

/// Which fee lines are meant: any of the three marks is enough (`domain.md` 3.6).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineSelector {
    /// National item codes, exact.
    pub item_codes: Vec<String>,
    /// Charge classes (`med_chrgitm_type`), exact.
    pub charge_classes: Vec<String>,
    /// Parts of the item's name, whatever its width, case, spaces and dashes.
    pub keywords: Vec<Keyword>,
}

/// A part of an item's name, as the plan writes it and as it is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword {
    text: String,
    normalised: String,
}

impl Keyword {
    /// A keyword as the plan writes it.
    pub fn new(text: String) -> Keyword {
        let normalised = normalised(&text).into_owned();
        Keyword { text, normalised }
    }
}

impl AsRef<str> for Keyword {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// Lines that the plan never pays for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// What is excluded, for people.
    pub name: String,
    /// The lines.
    pub lines: LineSelector,
}

/// Lines of which the plan counts what the person bears only up to an amount (单项限额).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemCap {
    /// What is capped, for people.
    pub name: String,
    /// The lines.
    pub lines: LineSelector,
    /// The most that counts.
    pub amount: Fen,
    /// Of which unit it is the most.
    pub per: CapPer,
}

/// The unit of an item cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapPer {
    /// Each line by itself.
    Line,
    /// All lines together, for each day of the stay.
    Day,
    /// All lines together.
    Claim,
}

impl LineSelector {
    /// Whether nothing is meant.
    pub fn is_empty(&self) -> bool {
        self.item_codes.is_empty() && self.charge_classes.is_empty() && self.keywords.is_empty()
    }

    /// Whether `line` is meant: by item code first, then charge class, then keyword.
    pub fn matches(&self, line: &Line) -> bool {
        let name = if self.keywords.is_empty() { None } else { name_of(line) };
        self.matches_named(line, name.as_deref())
    }

    /// The same for a line whose [`name_of`] is known already.
    pub fn matches_named(&self, line: &Line, name: Option<&str>) -> bool {
        let is_code = line
            .item_code
            .as_ref()
            .is_some_and(|code| self.item_codes.iter().any(|meant| meant == code.reveal()));
        let is_class =
            line.charge_class.as_ref().is_some_and(|class| self.charge_classes.contains(class));
        let is_named = name.is_some_and(|name| {
            self.keywords.iter().any(|it| name.contains(it.normalised.as_str()))
        });
        is_code || is_class || is_named
    }
}

/// The name of a line as keywords look for it.
pub fn name_of(line: &Line) -> Option<Cow<'_, str>> {
    line.item_name.as_ref().map(|name| normalised(name.reveal()))
}

/// A hospital's spelling without what carries no meaning: full-width forms are ASCII, capitals are
/// small, spaces and dashes are gone. `ＶＩＰ 病房` is `vip病房`.
fn normalised(text: &str) -> Cow<'_, str> {
    let plain = |letter: char| match letter {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(letter) - 0xFEE0).unwrap_or(letter),
        _ => letter,
    };
    let is_kept = |letter: &char| !letter.is_whitespace() && !"-_·—–".contains(*letter);
    let is_plain =
        |letter: char| plain(letter) == letter && is_kept(&letter) && !letter.is_ascii_uppercase();
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let letters = text.chars().map(plain).filter(is_kept);
    Cow::Owned(letters.map(|letter| letter.to_ascii_lowercase()).collect())
}
