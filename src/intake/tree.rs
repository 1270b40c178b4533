//! What mutations are made of: numbers drawn from a seed, and JSON that may be ill-formed on purpose.

use serde_json::Value;

/// A small generator (xorshift64*): the same numbers from the same seed for ever.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap() % count.max(1)
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// The fields of an object.
pub(super) type Fields = Vec<(String, Tree)>;

/// A change of one object.
type Change<'c> = &'c mut dyn FnMut(&mut Fields, &mut Random);

/// JSON whose keys have an order and may come twice.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Object(Fields),
    List(Vec<Tree>),
    /// Anything else, as it is written.
    Leaf(String),
}

impl Tree {
    pub(super) fn of(value: &Value) -> Tree {
        match value {
            Value::Object(fields) => {
                Tree::Object(fields.iter().map(|(key, it)| (key.clone(), Tree::of(it))).collect())
            }
            Value::Array(rows) => Tree::List(rows.iter().map(Tree::of).collect()),
            leaf => Tree::Leaf(leaf.to_string()),
        }
    }

    pub(super) fn text(text: &str) -> Tree {
        Tree::Leaf(Value::from(text).to_string())
    }

    pub(super) fn render(&self) -> String {
        match self {
            Tree::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| {
                    format!("{}: {}", Value::from(key.as_str()), value.render())
                });
                format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
            }
            Tree::List(rows) => {
                format!("[{}]", rows.iter().map(Tree::render).collect::<Vec<_>>().join(", "))
            }
            Tree::Leaf(text) => text.clone(),
        }
    }

    /// Every object in it, itself included.
    pub(super) fn objects(&mut self, visit: &mut dyn FnMut(&mut Fields)) {
        match self {
            Tree::Object(fields) => {
                visit(fields);
                for (_, value) in fields {
                    value.objects(visit);
                }
            }
            Tree::List(rows) => rows.iter_mut().for_each(|row| row.objects(visit)),
            Tree::Leaf(_) => {}
        }
    }

    /// One object of it, drawn.
    pub(super) fn some_object(&mut self, random: &mut Random, change: Change<'_>) {
        let mut count = 0;
        self.objects(&mut |_| count += 1);
        let mut left = random.below(count);
        self.objects(&mut |fields| {
            if left == 0 {
                change(fields, random);
            }
            left = left.wrapping_sub(1);
        });
    }

    /// The value under a key in whatever spelling.
    pub(super) fn get(&self, key: &str) -> Option<&Tree> {
        let Tree::Object(fields) = self else { return None };
        fields.iter().find(|(known, _)| fold(known) == fold(key)).map(|(_, value)| value)
    }
}

pub(super) fn fold(key: &str) -> String {
    key.to_ascii_lowercase().replace('_', "")
}

pub(super) fn camel(key: &str) -> String {
    let mut words = key.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        out.push_str(&first.to_ascii_uppercase());
        out.push_str(rest);
    }
    out
}
