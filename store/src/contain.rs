//! Keeping a dependency's panics from travelling further.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread would be caught by the store and reported as an error.
///
/// For panic hooks: the store never touches the process-wide hook, so the hook runs for these
/// panics too, and one that owns the screen may want to leave them to the error.
pub fn panic_is_contained() -> bool {
    CONTAINED.get()
}

/// Runs `work`; a panic becomes its message.
///
/// The caller must not use what `work` was working on afterwards, other than to drop it: that is
/// what makes asserting unwind safety sound here.
pub(crate) fn contain<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let before = CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(before);
    result.map_err(|payload| message(payload.as_ref()))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_messages() {
        assert!(!panic_is_contained());
        let seen = contain(panic_is_contained).unwrap();
        assert!(seen);
        assert_eq!(
            contain(|| panic!("at {}", 7)),
            Err::<(), _>("at 7".to_owned())
        );
        assert!(!panic_is_contained());
    }
}
