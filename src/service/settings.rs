//! The numbers the use cases go by: limits, lives and zones. Read from the configuration by `config/settings.rs`; each with its default.

use std::path::PathBuf;

use chrono_tz::Tz;

use crate::domain::delivery::Offered;
use crate::domain::organisation::Id;
use crate::service::room::Room;

#[derive(Clone, Debug)]
pub struct Settings {
    /// For floating and all-day values of people who set no zone of their own.
    pub default_zone: Tz,
    pub auth: Auth,
    pub limits: Limits,
    pub reports: Reports,
    pub alarms: Alarms,
    pub uploads: Uploads,
    /// Where copies of the store are made; nowhere, where it is in memory.
    pub exports: Option<PathBuf>,
    pub feeds: Feeds,
    pub journal: Journal,
    pub clock: Clock,
    pub sinks: Sinks,
    pub notifications: Notifications,
    pub presence: Presence,
}

#[derive(Clone, Copy, Debug)]
pub struct Notifications {
    /// How long a message is kept, in seconds.
    pub keep_seconds: i64,
    /// Messages that one person may have; the sweep takes the oldest of more.
    pub per_user: u64,
}

#[derive(Clone, Debug)]
pub struct Presence {
    /// The organisation of everybody who was never put into one.
    pub organisation: Id,
    /// Who has no socket and was not active lately is offline.
    pub require_connection: bool,
    /// How long somebody counts as there after they were last active, in seconds.
    pub active_seconds: i64,
    /// An alarm of a conference makes the telephone ring for a minute.
    pub ringing_on_alarm: bool,
    /// A call that the telephone system does not end is over after so many seconds.
    pub call_seconds: i64,
    /// Categories that make an event a time of focus.
    pub focus_categories: Vec<String>,
    /// Categories that make an all-day event an absence.
    pub absence_categories: Vec<String>,
    /// Members and viewers of one group; more are answered 403.
    pub group_people: usize,
}

impl Default for Presence {
    fn default() -> Presence {
        Presence {
            organisation: Id::unnamed(),
            require_connection: false,
            active_seconds: 300,
            ringing_on_alarm: false,
            call_seconds: 14_400,
            focus_categories: vec!["Focus".to_owned(), "Focus time".to_owned()],
            absence_categories: ["Absence", "Out of office", "Vacation"].map(str::to_owned).to_vec(),
            group_people: 500,
        }
    }
}

/// Who else may say who is calling.
#[derive(Clone, Debug)]
pub struct Auth {
    /// Whether a person whom a trusted proxy names is made when nobody has that name.
    pub proxy_create: bool,
    /// A password file in Apache's form.
    pub htpasswd: Option<PathBuf>,
    /// Whether a person whom that file lists is made at their first sign-in.
    pub htpasswd_create: bool,
    /// Whether passwords may stand in that file as they are.
    pub htpasswd_plain: bool,
    /// Behind the `@` in the mail address of a person who is made so and whose name is none.
    pub mail_domain: String,
}

impl Default for Auth {
    fn default() -> Auth {
        Auth {
            proxy_create: false,
            htpasswd: None,
            htpasswd_create: true,
            htpasswd_plain: false,
            mail_domain: "localhost".to_owned(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one object; a larger one is answered 413, on DAV paths 403 `max-resource-size`.
    pub object_bytes: u64,
    /// What one collection may hold; more is answered 507.
    pub room: Room,
    /// Collections in one home; one more is answered 403.
    pub collections_per_home: usize,
    /// Delegates of one collection; one more is answered 403.
    pub shares_per_collection: usize,
    /// Dead properties of one resource, and bytes of them; one more is answered 507.
    pub properties: usize,
    pub property_bytes: usize,
    /// Tickets that one person may draw in a minute; 0 means no limit; one more is answered 429.
    pub tickets_per_minute: u32,
    /// Times that one person's tokens may be looked at for sockets in a minute; 0 means no limit; one more closes the socket with 1013.
    pub token_checks_per_minute: u32,
    /// Times that one token may fail in a minute; 0 means no limit; one more try is answered 429.
    pub token_failures_per_minute: u32,
    /// Passwords that may be tried for one login name in a minute; 0 means no limit; one more is answered 429.
    pub logins_per_minute: u32,
    /// App passwords of one person; 0 means no limit; one more is answered 403.
    pub app_passwords_per_user: usize,
    /// Argon2 computations at the same time; others wait in line.
    pub logins_at_once: usize,
    /// Work that one question about recurrence may cost, in steps; beyond it the answer is flagged and nothing rings.
    pub recurrence_steps: u32,
}

/// Questions about the content of whole collections.
#[derive(Clone, Debug)]
pub struct Reports {
    /// Objects of collections whose records stay in memory once they were asked about; a collection that does not fit is read from the
    /// store each time.
    pub index_objects: usize,
    /// Bytes, about, that parsed objects may take; those that were not asked about for the longest time give way.
    pub parsed_bytes: usize,
    /// Instances of recurring objects that one answer may hold. DAV refuses a question with more, the JSON face cuts and says where.
    pub instances: usize,
    /// Bytes of instances that one answer may hold; likewise.
    pub expanded_bytes: usize,
    /// Objects that one request may name; one more is refused.
    pub hrefs: usize,
    /// Work that one question about a collection may cost, in steps of recurrence.
    pub steps: u32,
}

impl Default for Reports {
    fn default() -> Reports {
        Reports {
            index_objects: 100_000,
            parsed_bytes: 33_554_432,
            instances: 4_000,
            expanded_bytes: 2_097_152,
            hrefs: 5_000,
            steps: 5_000_000,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Alarms {
    /// Only who accepted the invitation hears its alarms, as the Side service does it.
    pub require_accepted: bool,
    /// How far ahead alarms are made ready, in seconds.
    pub arm_ahead_seconds: i64,
    /// How long after its instant a missed alarm is still worth ringing, in seconds; or until its event ends, if that is later.
    pub late_seconds: i64,
}

#[derive(Clone, Debug)]
pub struct Uploads {
    /// Bytes that one person's waiting uploads may take; the oldest give way to a new one.
    pub user_bytes: u64,
    /// How long an upload waits for its import, in seconds.
    pub life_seconds: i64,
    /// How long an ended import can be looked up, in seconds.
    pub import_life_seconds: i64,
    /// Bytes that one file may unpack to.
    pub unpacked_bytes: u64,
    /// Files that an archive may hold.
    pub archive_files: u64,
    /// Components that one file may hold. While it is imported, each is remembered with at most 100 bytes.
    pub components: usize,
    /// The directory of the files themselves; a passing one where none is named.
    pub spool: Option<PathBuf>,
}

/// What comes from elsewhere again and again.
#[derive(Clone, Debug)]
pub struct Feeds {
    /// Whether people may subscribe to URLs.
    pub subscriptions: bool,
    /// Whether those may lead to addresses that are not public.
    pub allow_private: bool,
    /// Subscriptions of one person; one more is answered 403.
    pub per_user: usize,
    /// Seconds between two looks at a subscription where nobody says otherwise, and the least and the most that somebody may say.
    pub refresh_seconds: u32,
    pub refresh_min_seconds: u32,
    pub refresh_max_seconds: u32,
    /// Looks at feeds that one person may ask for in a minute, subscriptions included; 0 means no limit; one more is answered 429.
    pub refreshes_per_minute: u32,
    /// Failures in a row after which a feed is told to be down.
    pub failures: u32,
    /// Bytes of a feed, as it comes.
    pub body_bytes: u64,
}

impl Default for Feeds {
    fn default() -> Feeds {
        Feeds {
            subscriptions: true,
            allow_private: false,
            per_user: 50,
            refresh_seconds: 3_600,
            refresh_min_seconds: 900,
            refresh_max_seconds: 604_800,
            refreshes_per_minute: 30,
            failures: 3,
            body_bytes: 20_971_520,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Journal {
    /// How long journal lines are kept, in seconds.
    pub keep_seconds: i64,
}

#[derive(Clone, Debug)]
pub struct Clock {
    /// How long a turn of a manual clock waits, in real seconds, for sockets that do not take what they should; then it says so.
    pub patience_seconds: u64,
}

#[derive(Clone, Debug)]
pub struct Sinks {
    /// Which channels people can choose.
    pub offered: Offered,
    /// Whether webhooks and topics may lie at addresses that are not public.
    pub allow_private: bool,
    /// Attempts of one delivery; then it is given up and listed.
    pub attempts: u32,
    /// The wait after the first failed attempt, in seconds of pace; each later one is twice as long.
    pub back_off_seconds: u64,
    /// The longest wait between two attempts, in seconds, whatever a receiver asks for.
    pub back_off_max_seconds: u64,
    /// Deliveries through one channel at the same time; others wait.
    pub at_once: usize,
    /// Deliveries of one person that may wait; one more is given up at once. 0 means no limit.
    pub waiting_per_user: usize,
    /// Deliveries of one person that are kept after they were given up; the oldest go first.
    pub dead_per_user: usize,
    /// How long a delivery is kept that was given up, in seconds.
    pub keep_seconds: i64,
    /// Mails that one person's alarms may send in a minute; more wait. 0 means no limit.
    pub mails_per_minute: u32,
}

impl Default for Sinks {
    fn default() -> Sinks {
        Sinks {
            offered: Offered::default(),
            allow_private: false,
            attempts: 16,
            back_off_seconds: 5,
            back_off_max_seconds: 3_600,
            at_once: 16,
            waiting_per_user: 1_000,
            dead_per_user: 1_000,
            keep_seconds: 604_800,
            mails_per_minute: 20,
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            default_zone: Tz::UTC,
            auth: Auth::default(),
            limits: Limits {
                object_bytes: 1_048_576,
                room: Room::new(1_073_741_824, 1_000_000),
                collections_per_home: 1_000,
                shares_per_collection: 200,
                properties: 100,
                property_bytes: 65_536,
                tickets_per_minute: 120,
                token_checks_per_minute: 20_000,
                token_failures_per_minute: 60,
                logins_per_minute: 60,
                app_passwords_per_user: 100,
                logins_at_once: 2,
                recurrence_steps: 50_000,
            },
            reports: Reports::default(),
            alarms: Alarms { require_accepted: false, arm_ahead_seconds: 5, late_seconds: 3_600 },
            uploads: Uploads {
                user_bytes: 52_428_800,
                life_seconds: 3_600,
                import_life_seconds: 86_400,
                unpacked_bytes: 268_435_456,
                archive_files: 1_000,
                components: 500_000,
                spool: None,
            },
            exports: None,
            feeds: Feeds::default(),
            journal: Journal { keep_seconds: 86_400 },
            clock: Clock { patience_seconds: 30 },
            sinks: Sinks::default(),
            notifications: Notifications { keep_seconds: 2_592_000, per_user: 1_000 },
            presence: Presence::default(),
        }
    }
}
