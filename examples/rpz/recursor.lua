-- PowerDNS Recursor as a secondary: append this to /etc/powerdns/recursor.lua (lua-config-file in recursor.conf). It takes
-- no notification for policy zones, so it asks each second whether the serial has changed. The secret is that of
-- transfer.key. The copy on disk is enforced after a restart without the primary; its folder has to be there, once:
--   install -d -o pdns -g pdns /var/lib/pdns-recursor
rpzPrimary("192.0.2.1", "csam.rpz.example", {
	tsigname = "transfer.example", tsigalgo = "hmac-sha256", tsigsecret = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=",
	refresh = 1,
	seedFile = "/var/lib/pdns-recursor/csam.rpz", dumpFile = "/var/lib/pdns-recursor/csam.rpz",
})
