package model

// AuditActions are the actions of the audit log's rows, in order. An older release may have written
// others.
var AuditActions = []string{
	"account.add", "account.end_sessions", "account.remove", "account.reopened", "account.set",
	"address.unban", "announcement.add", "announcement.end", "audit.accept", "audit.expire",
	"audit.export", "audit.sample", "audit.stream", "audit.view", "backup.make", "backup.restore", "config.change",
	"contact.add", "contact.bounced", "contact.leave", "contact.remove", "contact.set", "delivery.collect",
	"delivery.open", "delivery.remind", "delivery.withdraw", "dir.add", "dir.make", "dir.remove",
	"dir.rename", "dir.set", "drop.ack", "drop.claim", "drop.clear", "drop.fetch", "drop.reject",
	"drop.release", "drop.renew", "drop.unscan", "endpoint.add", "endpoint.close", "endpoint.set",
	"expectation.add", "expectation.meet", "expectation.miss", "expectation.remove", "feed.add",
	"feed.backfill", "feed.publish", "feed.remove", "feed.sequence.accept", "feed.sequence.forget",
	"feed.sequence.set", "feed.set", "feed.subscribe", "feed.subscription", "feed.unsubscribe",
	"file.expire", "file.move_in", "file.remove", "file.rename", "file.store", "file.view",
	"hostkeys.cancel", "hostkeys.change", "hostkeys.rotate", "hostkeys.rotated", "key.add", "key.bar",
	"key.burn", "key.expire", "key.exposed", "key.flag", "key.freeze", "key.refuse", "key.retire",
	"key.revoke", "key.rotate", "key.set", "key.thaw", "link.expire", "link.mail", "link.make",
	"link.open", "link.revoke", "mail.bounced", "mail.report_refused", "message.replay", "names.set",
	"names.unset", "note.add", "note.remove", "notice.done", "operator.add", "operator.disable",
	"operator.enable", "operator.first", "operator.join", "operator.passkey.add",
	"operator.passkey.remove", "operator.password", "operator.remove", "operator.reset",
	"operator.session.end", "operator.set", "operator.sign_in", "request.add", "request.answer",
	"request.approve", "request.ask", "request.assign", "request.expire", "request.first_file",
	"request.first_login", "request.ready", "request.reject", "request.remind", "request.remove",
	"request.submit", "request.verify", "request.withdraw", "retention.cancel", "retention.confirm",
	"retention.done", "retention.hold", "retention.notice", "retention.plan", "retention.policy",
	"retention.release", "retention.run", "retention.told", "review.make", "review.sign", "server.start",
	"server.stop", "signing.key", "tags.set", "token.add", "token.revoke", "user.add", "user.disable",
	"user.enable", "user.remove", "user.rename", "user.set", "user.template", "vendor.add",
	"vendor.remove", "vendor.set", "webhook.add", "webhook.off", "webhook.remove", "webhook.set",
	"webhook.test",
}
