//! Who a row belongs to.

use std::fmt;
use std::sync::Arc;

/// The owner of a row: 1 to 150 ASCII letters, digits and `!-_.*'()`, as in Loki, Mimir and Tempo,
/// so that an `X-Scope-OrgID` that they accept is accepted here.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(Arc<str>);

/// Why a text is not a tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTenant {
    /// Nothing was given.
    #[error("tenant is empty")]
    Empty,
    /// Over [`Tenant::LEN_MAX`] bytes.
    #[error("tenant is {0} bytes long, at most 150 are allowed")]
    TooLong(usize),
    /// A character outside the allowed set.
    #[error("tenant contains {0:?}; allowed are ASCII letters, digits and !-_.*'()")]
    Character(char),
}

impl Tenant {
    /// The most bytes that a tenant's name may have.
    pub const LEN_MAX: usize = 150;

    /// The tenant of requests that name none.
    #[must_use]
    pub fn default_tenant() -> Tenant {
        Tenant(Arc::from("default"))
    }

    /// Checks a name that came from outside.
    pub fn parse(name: &str) -> Result<Tenant, InvalidTenant> {
        if name.is_empty() {
            return Err(InvalidTenant::Empty);
        }
        if name.len() > Tenant::LEN_MAX {
            return Err(InvalidTenant::TooLong(name.len()));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "!-_.*'()".contains(c);
        match name.chars().find(|&c| !allowed(c)) {
            Some(c) => Err(InvalidTenant::Character(c)),
            None => Ok(Tenant(Arc::from(name))),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    fn default() -> Tenant {
        Tenant::default_tenant()
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_loki_accepts_are_accepted() {
        for name in ["default", "team-a", "a.b_c*'()!", &"x".repeat(150)] {
            assert_eq!(Tenant::parse(name).map(|t| t.as_str().to_owned()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn names_outside_the_set_are_refused_with_the_reason() {
        assert_eq!(Tenant::parse(""), Err(InvalidTenant::Empty));
        assert_eq!(Tenant::parse(&"x".repeat(151)), Err(InvalidTenant::TooLong(151)));
        assert_eq!(Tenant::parse("a/b"), Err(InvalidTenant::Character('/')));
        assert_eq!(Tenant::parse("ä"), Err(InvalidTenant::Character('ä')));
    }
}
