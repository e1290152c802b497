//! Ready-made lies. Each names the methods that it is told for; `"*"` stands for all of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::{change::apply, Answer, Change, Lie};
use crate::wire::RpcError;

/// Most answers that a lie which repeats old ones remembers of one call.
const MEMORY_MAX: usize = 256;

fn concerns(pattern: &str, method: &str) -> bool {
    pattern == "*" || pattern == method
}

/// A lie about the results of one method; errors go out as they are.
pub fn about(method: &str, lie: impl Fn(&Value, Value) -> Answer + Send + Sync + 'static) -> Lie {
    let pattern = method.to_owned();
    Arc::new(move |method, params, answer| match answer {
        Answer::Reply(value) if concerns(&pattern, method) => lie(params, value),
        other => other,
    })
}

/// Several lies, one after the other.
#[must_use]
pub fn all(lies: Vec<Lie>) -> Lie {
    Arc::new(move |method, params, answer| lies.iter().fold(answer, |answer, lie| lie(method, params, answer)))
}

/// A lie that is told only where the parameters have this text in them (a height, an address, a path).
pub fn only_where(text: &str, lie: Lie) -> Lie {
    let text = text.to_owned();
    Arc::new(
        move |method, params, answer| {
            if params.to_string().contains(&text) {
                lie(method, params, answer)
            } else {
                answer
            }
        },
    )
}

/// A lie that is told the first `times` times that it changes something, and never again.
pub fn at_most(times: u64, lie: Lie) -> Lie {
    let left = Mutex::new(times);
    Arc::new(move |method, params, answer| {
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        if *left == 0 {
            return answer;
        }
        let said = lie(method, params, answer.clone());
        if said != answer {
            *left = left.saturating_sub(1);
        }
        said
    })
}

/// Changes the value at a JSON pointer of the result; an empty pointer is the result itself.
#[must_use]
pub fn change(method: &str, pointer: &str, change: Change) -> Lie {
    let pointer = pointer.to_owned();
    about(method, move |_, mut value| {
        apply(&mut value, &pointer, &change);
        Answer::Reply(value)
    })
}

/// Always this answer.
#[must_use]
pub fn always(method: &str, said: Answer) -> Lie {
    let pattern = method.to_owned();
    Arc::new(move |method, _, answer| if concerns(&pattern, method) { said.clone() } else { answer })
}

/// Always this error.
#[must_use]
pub fn error(method: &str, error: RpcError) -> Lie {
    always(method, Answer::Error(error))
}

/// Every answer this much later.
#[must_use]
pub fn slow(method: &str, delay: Duration) -> Lie {
    let pattern = method.to_owned();
    Arc::new(
        move |method, _, answer| {
            if concerns(&pattern, method) {
                Answer::Delayed(delay, Box::new(answer))
            } else {
                answer
            }
        },
    )
}

/// No answer at all.
#[must_use]
pub fn silence(method: &str) -> Lie {
    always(method, Answer::Silence)
}

/// Answers that break off.
#[must_use]
pub fn cut(method: &str) -> Lie {
    always(method, Answer::Cut)
}

/// A body of this many bytes which is no answer.
#[must_use]
pub fn huge(method: &str, length_bytes: usize) -> Lie {
    always(method, Answer::Raw(vec![b' '; length_bytes]))
}

/// The answer as text, cut off after this many bytes.
#[must_use]
pub fn truncate(method: &str, length_bytes: usize) -> Lie {
    about(method, move |_, value| {
        let mut bytes = value.to_string().into_bytes();
        bytes.truncate(length_bytes);
        Answer::Raw(bytes)
    })
}

/// Drops those entries of the array at `pointer` for which `drop` says so; entries are counted from 0.
pub fn withhold(method: &str, pointer: &str, drop: impl Fn(usize, &Value) -> bool + Send + Sync + 'static) -> Lie {
    let pointer = pointer.to_owned();
    about(method, move |_, mut value| {
        if let Some(Value::Array(entries)) = value.pointer_mut(&pointer) {
            let mut index = 0usize;
            entries.retain(|entry| {
                let keep = !drop(index, entry);
                index = index.saturating_add(1);
                keep
            });
        }
        Answer::Reply(value)
    })
}

/// The array at `pointer` in the opposite order.
#[must_use]
pub fn reorder(method: &str, pointer: &str) -> Lie {
    change(method, pointer, Change::Reverse)
}

/// The first answer to each call is the answer for ever: with the methods that ask for the head, a chain that stands
/// still.
#[must_use]
pub fn freeze(methods: &[&str]) -> Lie {
    let methods: Vec<String> = methods.iter().map(|method| (*method).to_owned()).collect();
    let first: Mutex<BTreeMap<String, Answer>> = Mutex::new(BTreeMap::new());
    Arc::new(move |method, params, answer| {
        if !methods.iter().any(|pattern| concerns(pattern, method)) {
            return answer;
        }
        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.len() >= MEMORY_MAX {
            return answer;
        }
        first.entry(format!("{method} {params}")).or_insert(answer).clone()
    })
}

/// Each answer is the one that the same call got `behind` calls ago, or the oldest there is.
#[must_use]
pub fn replay(method: &str, behind: usize) -> Lie {
    let pattern = method.to_owned();
    let behind = behind.min(MEMORY_MAX);
    let past: Mutex<BTreeMap<String, VecDeque<Answer>>> = Mutex::new(BTreeMap::new());
    Arc::new(move |method, params, answer| {
        let mut past = past.lock().unwrap_or_else(PoisonError::into_inner);
        if !concerns(&pattern, method) || past.len() >= MEMORY_MAX {
            return answer;
        }
        let answers = past.entry(format!("{method} {params}")).or_default();
        answers.push_back(answer.clone());
        if answers.len() > behind.saturating_add(1) {
            answers.pop_front();
        }
        answers.front().cloned().unwrap_or(answer)
    })
}
