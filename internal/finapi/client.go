package finapi

import (
	"context"
	"errors"
)

// Client calls the provider. It is safe for concurrent use. There should be one
// per process, because limiter, breaker and tokens are its own.
type Client struct{}

var errUnderConstruction = errors.New("finapi: under construction")

func New(Config) (*Client, error) { return &Client{}, nil }

func (c *Client) User(upstreamUserID string) User { return User{} }

func (c *Client) EnsureUser(ctx context.Context, user User) error { return errUnderConstruction }

func (c *Client) CreateForm(ctx context.Context, user User, request FormRequest) (Form, error) {
	return Form{}, errUnderConstruction
}

func (c *Client) Form(ctx context.Context, user User, id string) (Form, error) {
	return Form{}, errUnderConstruction
}

func (c *Client) CancelForm(ctx context.Context, user User, id string) (Form, error) {
	return Form{}, errUnderConstruction
}

func (c *Client) Connection(ctx context.Context, user User, id int64) (Connection, error) {
	return Connection{}, errUnderConstruction
}

func (c *Client) Accounts(ctx context.Context, user User, connectionID int64) ([]Account, error) {
	return nil, errUnderConstruction
}

func (c *Client) Transactions(ctx context.Context, user User, accountID int64, page int) (TransactionPage, error) {
	return TransactionPage{}, errUnderConstruction
}
