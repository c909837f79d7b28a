-- PowerDNS Recursor as a secondary: lua-config-file=/etc/powerdns/recursor.lua. It takes no notification for policy zones,
-- so it asks each second whether the serial has changed. The secret is that of transfer.key.
rpzPrimary("192.0.2.1", "csam.rpz.example", {
	tsigname = "transfer.example", tsigalgo = "hmac-sha256", tsigsecret = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=",
	refresh = 1,
})
