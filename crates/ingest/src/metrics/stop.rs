//! Why the decoding of a body with metrics stopped before its end.

use crate::refusal::Refusal;
use crate::wire::Fault;

/// Either the body is wrong, or there is no room for what it holds.
pub(crate) enum Stop {
    Fault(Box<Fault>),
    Refused(Refusal),
}

impl From<Box<Fault>> for Stop {
    fn from(fault: Box<Fault>) -> Stop {
        Stop::Fault(fault)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal)
    }
}

impl Stop {
    /// Says where the fault is.
    #[cold]
    pub(crate) fn in_element(self, field: &'static str, index: usize) -> Stop {
        match self {
            Stop::Fault(fault) => Stop::Fault(fault.in_element(field, index)),
            refused @ Stop::Refused(_) => refused,
        }
    }

    /// As the answer to a client; `what` was being decoded.
    pub(crate) fn refusal(self, what: &str) -> Refusal {
        match self {
            Stop::Refused(refusal) => refusal,
            Stop::Fault(fault) => {
                let path = fault.path();
                let at = if path.is_empty() { String::new() } else { format!("{path}: ") };
                let message = format!("cannot decode {what}: {at}{}", fault.problem());
                Refusal::Malformed { path, message }
            }
        }
    }
}
