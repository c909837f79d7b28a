module github.com/argine-dns/argine/examples/compare

go 1.26.0

replace github.com/argine-dns/argine => ../..

require (
	github.com/AdguardTeam/urlfilter v0.5.0
	github.com/argine-dns/argine v0.0.0-00010101000000-000000000000
	github.com/bits-and-blooms/bloom/v3 v3.7.1
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/AdguardTeam/golibs v0.1.3 // indirect
	github.com/asaskevich/govalidator v0.0.0-20180720115003-f9ffefc3facf // indirect
	github.com/bits-and-blooms/bitset v1.24.2 // indirect
	github.com/joomcode/errorx v0.8.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
