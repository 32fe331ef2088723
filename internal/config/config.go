package config

import (
	"log/slog"
	"time"

	"github.com/bankimport/bankimport/internal/secret"
)

// Prefix begins the name of every variable.
const Prefix = "BANKIMPORT_"

// PEM is certificates or keys as text.
type PEM string

// Config is every setting. [Load] makes it; the zero value has no defaults.
//
// The tags are the reference: env is the name without prefix and the default;
// use says which parts need it (none: all) and required that these parts cannot
// do without; min, max and oneof bound it; desc explains it to an operator.
type Config struct {
	Kafka    Kafka
	Topics   Topics
	Engine   Engine
	Provider Provider
	Callback Callback
	Imports  Imports
	Waiting  Waiting
	Public   Public
	Admin    Admin
	Log      Log
	Dev      Dev

	origin map[string]Origin // where a setting came from, by its name; absent: the default
}

// Kafka is the cluster and how to reach it.
type Kafka struct {
	Brokers []string `env:"KAFKA_BROKERS,default=127.0.0.1:9092" use:"service" required:"true" desc:"addresses host:port of some brokers, with commas between; a service must name them, the other commands try the one of bankimport dev"`
	TLS     bool     `env:"KAFKA_TLS,default=false" use:"kafka" desc:"talk TLS to the brokers"`
	CA      PEM      `env:"KAFKA_TLS_CA" use:"kafka" desc:"authorities to trust instead of the system's, PEM"`
	Cert    PEM      `env:"KAFKA_TLS_CERT" use:"kafka" desc:"certificate to show to the brokers, PEM"`

	Key secret.Text `env:"KAFKA_TLS_KEY" use:"kafka" desc:"private key of that certificate, PEM"`

	Mechanism string      `env:"KAFKA_SASL_MECHANISM" use:"kafka" desc:"how to log in: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; needs TLS unless the brokers are on this machine"`
	User      string      `env:"KAFKA_SASL_USER" use:"kafka" desc:"user to log in as"`
	Password  secret.Text `env:"KAFKA_SASL_PASSWORD" use:"kafka" desc:"password of that user"`

	TopicPrefix string `env:"TOPIC_PREFIX" desc:"goes before every topic, consumer group and transactional id; callback URLs count only where it is the same"`
	InstanceID  string `env:"INSTANCE_ID" desc:"stable name of this process, unique in its stage: a killed process that is started again goes on at once; without it a killed predecessor's work is free only after its session"`
}

// Topics is how topics are made.
type Topics struct {
	Partitions  int `env:"PARTITIONS,default=12" min:"1" max:"10000" desc:"partitions of every topic; cannot change later"`
	Replication int `env:"REPLICATION,default=-1" min:"-1" max:"32" desc:"replication factor of new topics; -1 is the broker's default"`
}

// Engine is how stages run.
type Engine struct {
	MaxInFlight        int           `env:"MAX_IN_FLIGHT,default=1000" min:"1" max:"100000" desc:"records, and beside them timers, that a stage works on at once in this process"`
	MaxInFlightBytes   int64         `env:"MAX_IN_FLIGHT_BYTES,default=67108864" min:"1048576" max:"17179869184" desc:"bytes of the records that a stage works on at once"`
	MaxResultBytes     int64         `env:"MAX_RESULT_BYTES,default=67108864" min:"1048576" max:"17179869184" desc:"bytes of results of a stage that wait for their commit; handlers wait while more would not fit"`
	MaxStateBytes      int64         `env:"MAX_STATE_BYTES,default=1073741824" min:"1048576" max:"1099511627776" desc:"bytes that a stage may remember in this process, about 400 for a waiting import; one that has more to remember does not start, and one that runs warns of it"`
	RetryBudget        time.Duration `env:"RETRY_BUDGET,default=15m" min:"1s" max:"24h" desc:"how long a step is tried again before the import is given up, not counting time in which the provider is down"`
	StateRetention     time.Duration `env:"STATE_RETENTION,default=720h" min:"1h" max:"8760h" desc:"how long a finished import is remembered; its id must not be used again before"`
	DrainTimeout       time.Duration `env:"DRAIN_TIMEOUT,default=10s" min:"100ms" max:"5m" desc:"how long a stop, or a move of partitions, waits for what runs"`
	CommitInterval     time.Duration `env:"COMMIT_INTERVAL,default=5ms" min:"0s" max:"10s" desc:"least time between two commits of a stage"`
	TransactionTimeout time.Duration `env:"TRANSACTION_TIMEOUT,default=10s" min:"1s" max:"15m" desc:"after how long the brokers end a transaction of a process that has died"`
	SessionTimeout     time.Duration `env:"SESSION_TIMEOUT,default=12s" min:"1s" max:"30m" desc:"after how long the brokers give the partitions of a silent process to others; not below the transaction timeout"`
}

// Provider is finAPI and our account there.
type Provider struct {
	ClientID     string      `env:"FINAPI_CLIENT_ID" use:"provider" required:"true" desc:"id of the finAPI client (the data client, not the admin client)"`
	ClientSecret secret.Text `env:"FINAPI_CLIENT_SECRET" use:"provider" required:"true" desc:"secret of that client"`
	AccessURL    string      `env:"FINAPI_ACCESS_URL" use:"provider" required:"true" desc:"base URL of Access: https://sandbox.finapi.io or https://live.finapi.io"`
	WebFormURL   string      `env:"FINAPI_WEBFORM_URL" use:"provider" required:"true" desc:"base URL of Web Form 2.0: https://webform-sandbox.finapi.io or https://webform-live.finapi.io"`
	RedirectURL  string      `env:"FINAPI_REDIRECT_URL" use:"provider" desc:"where banks send the user back; licensed clients must set it, others must not"`
	FormHosts    []string    `env:"FINAPI_FORM_HOSTS" use:"provider" desc:"further hosts on which the URL of a web form may be, with commas between; by default those of finAPI and of FINAPI_WEBFORM_URL"`

	MaxConcurrent  int           `env:"FINAPI_MAX_CONCURRENT,default=256" use:"provider" min:"1" max:"10000" desc:"calls to finAPI at once, at most, in this process"`
	RequestTimeout time.Duration `env:"FINAPI_REQUEST_TIMEOUT,default=30s" use:"provider" min:"100ms" max:"5m" desc:"how long one call may take"`

	UserKey secret.Text `env:"USER_KEY" use:"provider" required:"true" desc:"master key of the passwords of all provider users, at least 32 random characters; it can never change"`
}

// Callback is the URL that finAPI calls when a form has ended.
type Callback struct {
	BaseURL string      `env:"CALLBACK_BASE_URL" use:"webform" required:"true" desc:"where finAPI reaches the webhook bridge, like https://bridge.example.com: https, a host with a dot, no path"`
	Keys    secret.Text `env:"CALLBACK_KEYS" use:"webform,bridge" required:"true" desc:"keys of the callback URLs, id:key with commas between, the first one seals; a key is the output of openssl rand -base64 32"`
}

// Imports is what is imported and how it is named.
type Imports struct {
	AccountTypes []string    `env:"ACCOUNT_TYPES" use:"webform" desc:"kinds of account to import where a request names none, with commas between; by default all"`
	AccountKey   secret.Text `env:"ACCOUNT_KEY" use:"accounts" required:"true" desc:"secret of the account keys, at least 32 random characters; it can never change"`
}

// Waiting is how long what is waited for, and how often somebody is asked.
type Waiting struct {
	FormPoll         time.Duration `env:"FORM_POLL_INTERVAL,default=30s" min:"1s" max:"1h" desc:"how often an open form is asked for, so that its end is noticed without a callback"`
	FormGrace        time.Duration `env:"FORM_GRACE,default=2m" min:"1s" max:"24h" desc:"how long after its expiry a form is waited for"`
	SecondLook       time.Duration `env:"FORM_SECOND_LOOK,default=3s" min:"1s" max:"1h" desc:"when a form that a callback has found open is asked for again"`
	ThirdLook        time.Duration `env:"FORM_THIRD_LOOK,default=10s" min:"1s" max:"1h" desc:"and when once more"`
	DownloadPoll     time.Duration `env:"DOWNLOAD_POLL_INTERVAL,default=2s" min:"10ms" max:"1h" desc:"how soon the bank's download is asked for again; grows up to DOWNLOAD_POLL_MAX"`
	DownloadPollMost time.Duration `env:"DOWNLOAD_POLL_MAX,default=15s" min:"10ms" max:"1h" desc:"the longest wait between two looks at a download"`
	DownloadDeadline time.Duration `env:"DOWNLOAD_DEADLINE,default=60m" min:"1s" max:"24h" desc:"how long the bank's download may take"`
	CategoryPoll     time.Duration `env:"CATEGORY_POLL_INTERVAL,default=5s" min:"10ms" max:"1h" desc:"how often categories are asked for"`
	CategoryDeadline time.Duration `env:"CATEGORY_DEADLINE,default=2m" min:"10ms" max:"24h" desc:"how long categories are waited for; then the import goes on without"`
	RereadAfter      time.Duration `env:"REREAD_AFTER,default=2s" min:"10ms" max:"1h" desc:"how soon an account is read again whose rows were not complete"`
}

// Public is where the webhook bridge listens.
type Public struct {
	Addr string      `env:"PUBLIC_ADDR,default=127.0.0.1:8443" desc:"address of the webhook bridge; in a container :8443"`
	Cert PEM         `env:"PUBLIC_TLS_CERT" use:"bridge" desc:"certificate of the bridge with its chain, PEM; without one it speaks plain HTTP, for a proxy that ends TLS"`
	Key  secret.Text `env:"PUBLIC_TLS_KEY" use:"bridge" desc:"private key of that certificate, PEM"`
}

// Admin is where health and metrics are.
type Admin struct {
	Addr string `env:"ADMIN_ADDR,default=127.0.0.1:9090" desc:"address of health, metrics and (on this machine's own address only) profiles; in a container :9090"`
}

// Log is what is logged and how.
type Log struct {
	Level  slog.Level `env:"LOG_LEVEL,default=info" desc:"debug, info, warn or error"`
	Format string     `env:"LOG_FORMAT,default=auto" oneof:"auto,text,json" desc:"text, json, or auto: text on a terminal, else json"`
}

// Dev is what only bankimport dev and bankimport simulator listen on.
type Dev struct {
	PageAddr      string `env:"DEV_ADDR,default=127.0.0.1:8080" desc:"address of the page of bankimport dev"`
	SimulatorAddr string `env:"SIMULATOR_ADDR,default=127.0.0.1:8081" desc:"address of the simulated provider"`
	KafkaAddr     string `env:"DEV_KAFKA_ADDR,default=127.0.0.1:9092" desc:"address of the embedded Kafka of bankimport dev"`
}
