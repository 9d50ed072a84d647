package main

import (
	"net/http"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// scriptKey is the key of the scripted model, which is no secret.
const scriptKey = "scripted"

// vendor returns a client of the vendor, or of the server that the SDK's variables name.
func vendor(key string) anthropic.MessageService {
	return anthropic.NewClient(option.WithAPIKey(key)).Messages
}

// scripted returns a client of the server at a loopback URL. No variable of the environment, no
// profile of the SDK, no proxy and no redirect leads it elsewhere.
func scripted(url string) anthropic.MessageService {
	return anthropic.NewClient(
		option.WithoutEnvironmentDefaults(),
		option.WithoutOpenTelemetry(),
		option.WithBaseURL(url),
		option.WithAPIKey(scriptKey),
		option.WithMaxRetries(0),
		option.WithHTTPClient(&http.Client{
			Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}),
	).Messages
}
