//! Text in columns, where a Chinese character takes two.

/// The columns that a statement may take.
const COLUMNS: usize = 100;

/// How many columns a text takes.
pub(in crate::cli) fn width(text: &str) -> usize {
    text.chars().map(|letter| if is_wide(letter) { 2 } else { 1 }).sum()
}

/// A text with blanks after it, so that it takes at least so many columns.
pub(in crate::cli) fn padded(text: &str, columns: usize) -> String {
    format!("{text}{:1$}", "", columns.saturating_sub(width(text)))
}

/// A text beside what stands left of it, in as many lines as it needs. Each ends with a newline.
pub(super) fn hanging(left: &str, text: &str) -> String {
    let indent = width(left);
    let mut out = left.to_owned();
    let mut used = indent;
    for piece in pieces(text) {
        if used > indent && used + width(piece.trim_end()) > COLUMNS {
            out.truncate(out.trim_end().len());
            out = format!("{out}\n{:indent$}", "");
            used = indent;
        }
        out.push_str(piece);
        used += width(piece);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Cuts a text where a line may end: after a blank, and around wide characters. An amount stays
/// whole, and no line begins with what closes.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let end = at + letter.len_utf8();
        let may_end = letters.peek().is_none_or(|(_, next)| {
            let is_around = letter == ' ' || is_wide(letter) || is_wide(*next);
            is_around && !"，。；：、）".contains(*next) && letter != '（'
        });
        if may_end {
            pieces.push(&text[start..end]);
            start = end;
        }
    }
    pieces
}

/// Whether terminals give a character two columns: CJK, its signs and its full-width forms.
fn is_wide(letter: char) -> bool {
    matches!(letter, '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}'
        | '\u{20000}'..='\u{3fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chinese_character_takes_two_columns() {
        assert_eq!((width("abc"), width("赔案"), width("余 1.00，")), (3, 4, 9));
        assert_eq!(padded("赔案", 6), "赔案  ");
        assert_eq!(padded("赔案", 2), "赔案");
    }

    #[test]
    fn a_long_text_hangs_and_keeps_amounts_whole() {
        for text in ["起付线 5,000.00，本次扣除 5,000.00，", "deductible of 5,000.00 a year, "]
        {
            let lines = hanging("  1.00  ", &text.repeat(9));
            assert!(lines.lines().count() > 1, "{lines}");
            for line in lines.lines().skip(1) {
                assert!(line.starts_with("        ") && width(line) <= COLUMNS, "{line}");
                assert!(!line.trim_start().starts_with(['，', ',']), "{line}");
            }
            let whole: Vec<&str> = lines.split_whitespace().collect();
            let amounts = |words: &str| words.matches("5,000.00").count();
            assert_eq!(amounts(&whole.join(" ")), amounts(&text.repeat(9)));
        }
    }
}
