//! A person's settings in the modules of the Twake family: `/api/configurations`. Shown is what there is; a setting that is not kept here
//! cannot be set, and is not pretended to be.

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::sabre::people::outcome;
use crate::api::sabre::wrong::Wrong;
use crate::api::{House, caller_and_body};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::Call;
use crate::http::problem;
use crate::service::collections::zone_named;

/// Modules, and settings of each, that one request names at most.
const NAMES_MAX: usize = 100;

/// Everything that a person has.
pub fn modules(house: &House, person: &Principal) -> Vec<Value> {
    let zone = person.timezone.clone().unwrap_or_else(|| house.settings().default_zone.name().to_owned());
    let setting = |name: &str, value: Value| json!({ "name": name, "value": value });
    let module = |name: &str, settings: Vec<Value>| json!({ "name": name, "configurations": settings });
    let server = json!({ "url": "/dav" });
    vec![
        module(
            "core",
            vec![
                setting("davserver", json!({ "frontend": server, "backend": server })),
                setting("language", json!("en")),
                setting("datetime", json!({ "timeZone": zone, "use24hourFormat": true })),
            ],
        ),
        module("linagora.esn.calendar", vec![setting("features", json!({ "isSharingCalendarEnabled": true }))]),
        module(
            "linagora.esn.contact",
            vec![setting(
                "features",
                json!({
                    "isVirtualFollowingAddressbookEnabled": false,
                    "isVirtualUserAddressbookEnabled": false,
                    "isSharingAddressbookEnabled": true,
                    "isDomainMembersAddressbookEnabled": false,
                }),
            )],
        ),
        // E-mail alarms are always sent; only whether others come by mail too can be chosen, in `/api/me`.
        module("calendar", vec![setting("alarmEmails", json!(true))]),
    ]
}

/// `GET /api/configurations?scope=user`: 200 with all modules.
pub async fn show(house: House, call: Call) -> Response {
    outcome(
        async {
            let caller = auth::caller(&house, &call).await?;
            of_user(&call)?;
            Ok(problem::json(StatusCode::OK, &Value::Array(modules(&house, &caller))))
        }
        .await,
    )
}

/// `POST /api/configurations [{"name","keys":[…]}]`: 200 with those that are asked for and there.
pub async fn look<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    outcome(
        async {
            let (caller, bytes) = caller_and_body(&house, &call, stream).await?;
            let mut found = Vec::new();
            let all = modules(&house, &caller);
            for (name, wanted) in list(&bytes)? {
                let Some(module) = all.iter().find(|module| module["name"] == name) else { continue };
                let keys = wanted.get("keys").and_then(Value::as_array);
                let settings = module["configurations"].as_array().map(Vec::as_slice).unwrap_or_default();
                let is_wanted = |setting: &&Value| keys.is_none_or(|keys| keys.contains(&setting["name"]));
                let settings: Vec<&Value> = settings.iter().filter(is_wanted).collect();
                found.push(json!({ "name": name, "configurations": settings }));
            }
            Ok(problem::json(StatusCode::OK, &Value::Array(found)))
        }
        .await,
    )
}

/// `PATCH /api/configurations?scope=user [{"name","configurations":[{"name","value"}]}]`: 204. All is looked at before anything is set; what
/// is set to what it is already is no change.
pub async fn patch<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    outcome(set(&house, &call, stream).await.map(|()| problem::empty(StatusCode::NO_CONTENT)))
}

/// The same by `PUT`: 201.
pub async fn put<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    outcome(set(&house, &call, stream).await.map(|()| problem::empty(StatusCode::CREATED)))
}

async fn set<B: Buf>(
    house: &House,
    call: &Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<(), Wrong> {
    let (caller, bytes) = caller_and_body(house, call, stream).await?;
    of_user(call)?;
    let known = modules(house, &caller);
    let mut zone: Option<String> = None;
    for (module, wanted) in list(&bytes)? {
        let settings = wanted.get("configurations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if settings.len() > NAMES_MAX {
            return Err(Wrong::TooMany(format!("a module has at most {NAMES_MAX} settings")));
        }
        for setting in settings {
            let name = setting.get("name").and_then(Value::as_str).ok_or_else(|| Wrong::bad("a setting has a name"))?;
            let value = setting.get("value").unwrap_or(&Value::Null);
            match (module.as_str(), name) {
                ("core", "timezone") => zone = Some(zone_of(value)?),
                ("core", "datetime") => {
                    if value.get("use24hourFormat").is_some_and(|form| form != &json!(true)) {
                        return Err(Wrong::NotHere("core.datetime.use24hourFormat is not kept here".to_owned()));
                    }
                    zone = Some(zone_of(value.get("timeZone").unwrap_or(&Value::Null))?);
                }
                _ if is_so(&known, &module, name, value) => {}
                _ => return Err(Wrong::NotHere(format!("{module}.{name} is not kept here"))),
            }
        }
    }
    if let Some(zone) = zone {
        house.set_timezone(&caller.name, Some(&zone)).await?;
    }
    Ok(())
}

fn zone_of(value: &Value) -> Result<String, Wrong> {
    let text = value.as_str().ok_or_else(|| Wrong::bad("a time zone is a name such as Europe/Paris"))?;
    let known = zone_named(text).ok_or_else(|| Refusal::from(Fault::whole(format!("no zone named {text:?}"))))?;
    Ok(known.to_owned())
}

/// Whether a setting is shown with that value.
fn is_so(known: &[Value], module: &str, name: &str, value: &Value) -> bool {
    let settings = known.iter().filter(|one| one["name"] == module).filter_map(|one| one["configurations"].as_array());
    settings.flatten().any(|setting| setting["name"] == name && setting["value"] == *value)
}

fn of_user(call: &Call) -> Result<(), Wrong> {
    match call.parameter("scope").as_deref() {
        None | Some("user") => Ok(()),
        Some(scope) => Err(Wrong::NotHere(format!("settings are a person's own, not of the scope {scope:?}"))),
    }
}

/// The modules that a body names, each with its object.
fn list(bytes: &[u8]) -> Result<Vec<(String, Value)>, Wrong> {
    let body: Value = serde_json::from_slice(bytes).map_err(|error| Wrong::Bad(format!("no JSON: {error}")))?;
    let Value::Array(list) = body else { return Err(Wrong::bad("the body is a list of modules")) };
    if list.len() > NAMES_MAX {
        return Err(Wrong::TooMany(format!("one request names at most {NAMES_MAX} modules")));
    }
    let named = |one: Value| Some((one.get("name")?.as_str()?.to_owned(), one));
    let named = list.into_iter().map(named).collect::<Option<Vec<(String, Value)>>>();
    named.ok_or_else(|| Wrong::bad("a module has a name"))
}
