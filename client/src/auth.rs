//! What goes with every call: the token, and the trace context of the caller.

use std::fmt;

use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::error::Error;
use crate::trace::Source;

/// Adds the client's token and the caller's trace context, if there are any, to every call.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    token: Option<AsciiMetadataValue>,
    pub(crate) trace: Source,
}

impl Credentials {
    /// Credentials with an API key or another bearer token; `None`: without.
    ///
    /// # Errors
    /// If it is no text that a header can carry.
    pub fn bearer(token: Option<&str>) -> Result<Self, Error> {
        Self::try_from(token.map(|token| Token(token.to_owned())).as_ref())
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        if let Some(context) = self.trace.current()
            && let Ok(context) = AsciiMetadataValue::try_from(context)
        {
            request.metadata_mut().insert("traceparent", context);
        }
        Ok(request)
    }
}

/// A token that is never shown.
#[derive(Clone)]
pub(crate) struct Token(pub(crate) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl TryFrom<Option<&Token>> for Credentials {
    type Error = Error;

    fn try_from(token: Option<&Token>) -> Result<Self, Error> {
        let Some(Token(token)) = token else { return Ok(Self::default()) };
        // The text of the error would show what is wrong with the token, and so the token.
        let wrong = |_| Error::Settings("the token must be visible ASCII characters".to_owned());
        let mut value = AsciiMetadataValue::try_from(format!("Bearer {token}")).map_err(wrong)?;
        value.set_sensitive(true);
        Ok(Self { token: Some(value), trace: Source::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_with_every_call_and_is_never_shown() {
        let token = Token("canary".to_owned());
        let mut credentials = Credentials::try_from(Some(&token)).unwrap();
        let request = credentials.call(Request::new(())).unwrap();
        assert_eq!(request.metadata().get("authorization").unwrap(), "Bearer canary");
        assert!(!format!("{token:?} {credentials:?} {request:?}").contains("canary"));

        let wrong = Credentials::try_from(Some(&Token("canary\n".to_owned()))).unwrap_err();
        assert!(!wrong.to_string().contains("canary"));
        let mut none = Credentials::default();
        assert!(none.call(Request::new(())).unwrap().metadata().is_empty());
    }
}
