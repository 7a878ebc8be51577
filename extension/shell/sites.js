// Web mail and calendars where links to stopped services are marked unless the administration says
// otherwise. Marks everywhere would be noise; here invitations are read.

export const MAIL_AND_CALENDARS = [
  "calendar.google.com",
  "calendar.proton.me",
  "mail.google.com",
  "mail.infomaniak.com",
  "mail.ovh.net",
  "mail.proton.me",
  "mail.yahoo.com",
  "*.mail.yahoo.com",
  "app.mailbox.org",
  "app.tuta.com",
  "calendar.infomaniak.com",
  "messagerie.numerique.gouv.fr",
  "messages.numerique.gouv.fr",
  "outlook.cloud.microsoft",
  "outlook.live.com",
  "outlook.office.com",
  "outlook.office365.com",
  "posteo.de",
  "webmail.mailo.com",
];
