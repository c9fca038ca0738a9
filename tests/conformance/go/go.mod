module offline-kit.example/conformance

go 1.22

require github.com/openvex/go-vex v0.2.7

require (
	github.com/package-url/packageurl-go v0.1.3 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
