// A web app with tsdav: signs in, lists, makes a calendar and an event, and syncs when it is told to. Prints a JSON value a line.
// node sync.js URL USER PASSWORD
const { DAVClient } = require("tsdav");
const { createInterface } = require("node:readline");

const [serverUrl, username, password] = process.argv.slice(2);
const say = (value) => console.log(JSON.stringify(value));
const path = (object) => new URL(object.url, serverUrl).pathname;
const client = (defaultAccountType) =>
  new DAVClient({ serverUrl, credentials: { username, password }, authMethod: "Basic", defaultAccountType });
const event = [
  "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//tsdav//EN", "BEGIN:VEVENT", "UID:made", "DTSTAMP:20250101T000000Z",
  "DTSTART:20250115T100000Z", "SUMMARY:Made", "END:VEVENT", "END:VCALENDAR", "",
].join("\r\n");
const card = ["BEGIN:VCARD", "VERSION:3.0", "UID:friend", "FN:Friend", "N:Friend;;;;", "END:VCARD", ""].join("\r\n");

async function run() {
  const calendars = client("caldav");
  await calendars.login();
  say({ home: calendars.account.homeUrl });
  say({ calendars: (await calendars.fetchCalendars()).map((calendar) => calendar.displayName) });

  const url = new URL("tsdav/", calendars.account.homeUrl).href;
  const [made] = await calendars.makeCalendar({ url, props: { "d:displayname": "tsdav" } });
  const find = async () => (await calendars.fetchCalendars()).find((calendar) => path(calendar) === path({ url }));
  const calendar = await find();
  const object = await calendars.createCalendarObject({ calendar, filename: "made.ics", iCalString: event });
  const objects = await calendars.fetchCalendarObjects({ calendar });
  // The token first: what comes after the next line is news.
  const before = { ...(await find()), objects, objectMultiGet: (wanted) => calendars.calendarMultiGet(wanted) };
  say({ calendar: made.status, object: object.status, etags: objects.filter((one) => one.etag).length });

  for await (const _line of createInterface({ input: process.stdin })) {
    const { objects } = await calendars.smartCollectionSync({ collection: before, method: "webdav", detailedResult: true });
    say({ created: objects.created.map(path), updated: objects.updated.map(path), deleted: objects.deleted.map(path) });
    break;
  }

  const books = client("carddav");
  await books.login();
  const shelf = await books.fetchAddressBooks();
  const added = await books.createVCard({ addressBook: shelf[0], filename: "friend.vcf", vCardString: card });
  say({ books: shelf.length, card: added.status });
}

run().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
