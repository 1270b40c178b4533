//! Flags that several sub-commands share.

use clap::ValueEnum;

use crate::config::Client;
use crate::core::explain::Language;

/// How an answer is shown, and who gives it.
#[derive(clap::Args)]
pub(super) struct Shown {
    /// The language of the explanation.
    #[arg(long, visible_alias = "lang", value_enum, default_value = "en")]
    language: LanguageArg,
    #[command(flatten)]
    pub(super) server: Client,
}

impl Shown {
    /// The language that was asked for.
    pub(super) fn language(&self) -> Language {
        self.language.into()
    }
}

/// The languages of explanations.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum LanguageArg {
    /// 简体中文.
    Zh,
    /// English.
    En,
}

impl From<LanguageArg> for Language {
    fn from(arg: LanguageArg) -> Language {
        match arg {
            LanguageArg::Zh => Language::Zh,
            LanguageArg::En => Language::En,
        }
    }
}
