package pipeline

import (
	"context"
	"sync"
)

// maxIdle is how many workers wait for the next job: enough for quick handlers,
// and little memory after slow ones.
const maxIdle = 64

// A pool runs jobs, all at once: each worker that takes one sees to it that
// another worker comes for the next. So slow jobs never wait for each other,
// while quick ones are done by a few workers whose stacks need not grow again.
type pool struct {
	run  func(*job) []*job // runs a job and returns those that may start then
	work *sync.WaitGroup   // takes the workers
	ctx  context.Context   // idle workers end with it
	wake chan struct{}     // to one idle worker

	mu     sync.Mutex
	queue  []*job
	idle   int  // workers that wait
	coming bool // a worker is on its way to the queue
}

// start adds jobs. The slice is the pool's afterwards.
func (p *pool) start(jobs []*job) {
	if len(jobs) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(jobs)
	p.call()
}

func (p *pool) add(jobs []*job) {
	if len(p.queue) == 0 {
		p.queue = jobs
		return
	}
	p.queue = append(p.queue, jobs...)
}

// call sends for a worker where there is work and none is on its way. The caller
// holds the mutex.
func (p *pool) call() {
	switch {
	case p.coming || len(p.queue) == 0:
	case p.idle > 0:
		p.coming = true
		p.idle--
		p.wake <- struct{}{} // has room for all that are idle
	default:
		p.coming = true
		p.work.Go(p.worker)
	}
}

// worker takes jobs until there are none and enough others wait. When the context has
// ended it takes no more: others may be at work on the same keys.
func (p *pool) worker() {
	called := true
	var next []*job
	for p.ctx.Err() == nil {
		j, ok := p.take(called, next)
		if ok {
			called, next = false, p.run(j)
			continue
		}
		if !p.rest() {
			return
		}
		select {
		case <-p.wake:
			called = true
		case <-p.ctx.Done():
			return
		}
	}
}

// take adds jobs and takes the next one. So the worker that makes room for a job
// runs it, if no other is before it, and nobody else is sent for.
func (p *pool) take(called bool, jobs []*job) (*job, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(jobs)
	if called {
		p.coming = false
	}
	if len(p.queue) == 0 {
		return nil, false
	}
	j := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	p.call()
	return j, true
}

// rest says whether a worker may wait for more. There may be work again already.
func (p *pool) rest() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle >= maxIdle {
		return false
	}
	p.idle++
	p.call()
	return true
}
