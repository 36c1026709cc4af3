//! A path's template: what stands for it where requests are counted and logged. Paths hold names, and some hold tickets and tokens.

/// Everything that `routes.rs` serves beside DAV. A braced segment stands for any. `tests/it/live/metrics.rs` compares the two.
pub const TEMPLATES: &[&str] = &[
    "/healthz",
    "/readyz",
    "/ws",
    "/ws.communication",
    "/ws.chatplugin",
    "/stomp",
    "/v1/subscribe",
    "/ws/ticket",
    "/ws/ticket/{ticket}",
    "/organisation/{org}/user/{user}",
    "/organisation/{org}/user-group/{group}",
    "/v1/events",
    "/api/files",
    "/api/import",
    "/api/imports",
    "/api/imports/{id}",
    "/api/imports/{id}/errors",
    "/api/calendars",
    "/api/calendars/{user}/{id}",
    "/api/calendars/{user}/{id}/events",
    "/api/addressbooks",
    "/api/addressbooks/{user}/{id}",
    "/api/addressbooks/{user}/{id}/contacts",
    "/api/calendars/{user}/{id}/shares",
    "/api/calendars/{user}/{id}/shares/{user}",
    "/api/calendars/{user}/{id}/public",
    "/api/addressbooks/{user}/{id}/shares",
    "/api/addressbooks/{user}/{id}/shares/{user}",
    "/api/addressbooks/{user}/{id}/public",
    "/api/calendars/{user}/{id}/busy",
    "/api/proxies",
    "/api/proxies/{right}",
    "/api/shares",
    "/api/subscriptions",
    "/api/subscriptions/{id}",
    "/api/feeds",
    "/api/feeds/{id}",
    "/api/feeds/{id}/refresh",
    "/api/addressbooks/{user}/{id}/birthdays",
    "/api/alarms",
    "/api/alarms/{id}/ack",
    "/api/alarms/{id}/snooze",
    "/api/deliveries",
    "/api/deliveries/{id}/retry",
    "/api/conversations",
    "/api/conversations/{id}/messages",
    "/api/conversations/{id}/read",
    "/api/channels",
    "/conversations.list",
    "/conversations.info",
    "/conversations.mark-read",
    "/messages.list",
    "/channels.list",
    "/api/clock",
    "/api/me",
    "/api/store/exports",
    "/api/users",
    "/api/users/{name}",
    "/api/users/{name}/password",
    "/api/app-passwords",
    "/api/app-passwords/{id}",
    "/api/tokens",
    "/api/tokens/{token}",
    "/api/user",
    "/api/entity/{id}",
    "/api/people/search",
    "/api/configurations",
    "/api/organisations",
    "/api/organisations/{org}",
    "/api/organisations/{org}/users",
    "/api/organisations/{org}/users/{id}",
    "/api/organisations/{org}/users/{id}/presence",
    "/api/organisations/{org}/users/{id}/call",
    "/api/organisations/{org}/groups",
    "/api/organisations/{org}/groups/{id}",
    "/api/organisations/{org}/groups/{id}/presence",
    "/api/groups",
    "/api/groups/{id}",
    "/api/websocketd",
    "/api/bus/events",
    "/api/auth/0.1/token/{token}",
];

/// DAV's places: a collection has the same template with and without the slash at its end.
const PLACES: &[&str] = &[
    "/.well-known/caldav",
    "/.well-known/carddav",
    "/principals",
    "/principals/{user}",
    "/principals/{user}/calendar-proxy-read",
    "/principals/{user}/calendar-proxy-write",
    "/notifications/{user}",
    "/notifications/{user}/{id}",
    "/calendars",
    "/calendars/{user}",
    "/calendars/{user}/{id}",
    "/calendars/{user}/{id}/{object}",
    "/addressbooks",
    "/addressbooks/{user}",
    "/addressbooks/{user}/{id}",
    "/addressbooks/{user}/{id}/{object}",
    "/calendars.json",
    "/query.json",
    "/itip",
];

/// What a path that nothing answers to is counted as.
const OTHER: &str = "other";

/// The methods that this service recognises: those that some route has, and the two that DAV answers with 405. Others are counted together,
/// and pages of other origins may use no others.
pub const METHODS: &[&str] = &[
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "PROPFIND",
    "PROPPATCH",
    "REPORT",
    "MKCALENDAR",
    "MKCOL",
    "COPY",
    "MOVE",
    "ACL",
    "ITIP",
    "LOCK",
    "UNLOCK",
];

/// The template of a path, as it came on the wire.
///
/// ```
/// use campanile::http::route::template;
/// assert_eq!(template("/ws/ticket/c0ffee"), "/ws/ticket/{ticket}");
/// assert_eq!(template("/dav/calendars/alice/default/tea.ics"), "/calendars/{user}/{id}/{object}");
/// assert_eq!(template("/api/nothing/like/it"), "other");
/// ```
pub fn template(path: &str) -> &'static str {
    if let Some(template) = TEMPLATES.iter().find(|template| fits(template, path)) {
        return template;
    }
    let place = path.strip_prefix("/dav").filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path);
    match place.strip_suffix('/').unwrap_or(place) {
        "" => "/",
        place => PLACES.iter().find(|template| fits(template, place)).copied().unwrap_or(OTHER),
    }
}

fn fits(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let mut fits = |wanted: &str| segments.next().is_some_and(|found| wanted.starts_with('{') || wanted == found);
    template.split('/').all(&mut fits) && segments.next().is_none()
}

/// A method's name, out of a list of our own.
pub fn method(name: &str) -> &'static str {
    METHODS.iter().find(|known| **known == name).copied().unwrap_or(OTHER)
}
