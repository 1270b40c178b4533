pub mod checks;
pub mod day;
pub mod member;
pub mod money;
pub mod personal;
pub mod settlement;
