//! Calls of `ScheduleService`.

/// Repeats a call while the server is away; on the heap, because a spec makes the future large.
macro_rules! repeat {
    ($client:expr, $method:ident, $request:expr) => {{
        let request = $request;
        let client = &$client;
        $crate::retry::repeated(client.request_timeout, |left| {
            let call = $crate::tasks::limited(request.clone(), left);
            Box::pin(async move { Ok(client.schedule_service().$method(call).await?.into_inner()) })
        })
        .await
    }};
}

/// Makes a call that cannot be repeated.
macro_rules! call {
    ($client:expr, $method:ident, $request:expr) => {{
        let request = $request;
        let client = &$client;
        $crate::retry::once(client.request_timeout, |left| {
            let call = $crate::tasks::limited(request, left);
            Box::pin(async move { Ok(client.schedule_service().$method(call).await?.into_inner()) })
        })
        .await
    }};
}

pub(super) use {call, repeat};
