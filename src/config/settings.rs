//! The configuration as the use cases go by it.

use chrono_tz::Tz;

use crate::config::Config;
use crate::config::store::Engine;
use crate::domain::delivery::Offered;
use crate::domain::organisation::Id;
use crate::service::room::Room;
use crate::service::settings::{
    Alarms, Auth, Clock, Feeds, Journal, Limits, Notifications, Presence, Reports, Settings, Sinks, Uploads,
};

impl Config {
    /// What the use cases go by.
    pub fn settings(&self) -> Settings {
        let seconds = i64::from;
        Settings {
            default_zone: self.calendar.default_timezone.parse().unwrap_or(Tz::UTC),
            auth: Auth {
                proxy_create: self.auth.proxy_create,
                htpasswd: self.auth.htpasswd(),
                htpasswd_create: self.auth.htpasswd_create,
                htpasswd_plain: self.auth.htpasswd_plain,
                mail_domain: self.auth.mail_domain.clone(),
            },
            limits: Limits {
                object_bytes: self.limits.object_bytes,
                room: Room::new(self.limits.collection_bytes, self.limits.collection_objects),
                collections_per_home: self.limits.collections_per_home,
                shares_per_collection: self.limits.shares_per_collection,
                properties: self.limits.properties,
                property_bytes: self.limits.property_bytes,
                tickets_per_minute: self.limits.tickets_per_minute,
                token_checks_per_minute: self.limits.token_checks_per_minute,
                token_failures_per_minute: self.limits.token_failures_per_minute,
                logins_per_minute: self.limits.logins_per_minute,
                app_passwords_per_user: self.limits.app_passwords_per_user,
                logins_at_once: self.limits.logins_at_once,
                recurrence_steps: self.limits.recurrence_steps,
            },
            reports: Reports {
                index_objects: self.reports.index_objects,
                parsed_bytes: self.reports.parsed_bytes,
                instances: self.reports.instances,
                expanded_bytes: self.reports.expanded_bytes,
                hrefs: self.reports.hrefs,
                steps: self.reports.steps,
            },
            alarms: Alarms {
                require_accepted: self.alarms.require_accepted,
                arm_ahead_seconds: seconds(self.alarms.arm_ahead_seconds),
                late_seconds: seconds(self.alarms.late_seconds),
            },
            uploads: Uploads {
                user_bytes: self.uploads.user_bytes,
                life_seconds: seconds(self.uploads.life_seconds),
                import_life_seconds: seconds(self.uploads.import_life_seconds),
                unpacked_bytes: self.uploads.unpacked_bytes,
                archive_files: self.uploads.archive_files,
                components: self.uploads.components,
                spool: match self.store.engine {
                    Engine::Memory => None,
                    Engine::Sled | Engine::Redb => Some(self.store.path.join("spool")),
                },
            },
            exports: match self.store.engine {
                Engine::Memory => None,
                Engine::Sled | Engine::Redb => Some(self.store.path.join("exports")),
            },
            feeds: Feeds {
                subscriptions: self.feeds.subscriptions,
                allow_private: self.feeds.allow_private,
                per_user: self.feeds.per_user,
                refresh_seconds: self.feeds.refresh_seconds,
                refresh_min_seconds: self.feeds.refresh_min_seconds,
                refresh_max_seconds: self.feeds.refresh_max_seconds,
                refreshes_per_minute: self.feeds.refreshes_per_minute,
                failures: self.feeds.failures,
                body_bytes: self.feeds.body_bytes,
            },
            journal: Journal { keep_seconds: seconds(self.journal.keep_seconds) },
            clock: Clock { patience_seconds: self.clock.patience_seconds },
            sinks: Sinks {
                offered: Offered {
                    mail: !self.mail.host.is_empty(),
                    webhook: self.sinks.webhook,
                    ntfy: self.sinks.ntfy,
                },
                allow_private: self.sinks.allow_private,
                attempts: self.sinks.attempts,
                back_off_seconds: self.sinks.back_off_seconds,
                back_off_max_seconds: self.sinks.back_off_max_seconds,
                at_once: self.sinks.at_once,
                waiting_per_user: self.sinks.waiting_per_user,
                dead_per_user: self.sinks.dead_per_user,
                keep_seconds: seconds(self.sinks.keep_seconds),
                mails_per_minute: self.mail.per_user_per_minute,
            },
            notifications: Notifications {
                keep_seconds: seconds(self.notifications.keep_seconds),
                per_user: self.notifications.per_user,
            },
            presence: Presence {
                organisation: Id::new(&self.organisation.default).unwrap_or_else(Id::unnamed),
                require_connection: self.presence.require_connection,
                active_seconds: seconds(self.presence.active_seconds),
                ringing_on_alarm: self.presence.ringing_on_alarm,
                call_seconds: seconds(self.presence.call_seconds),
                focus_categories: self.presence.focus_categories.clone(),
                absence_categories: self.presence.absence_categories.clone(),
                group_people: self.organisation.group_people,
            },
        }
    }
}
