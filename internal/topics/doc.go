// Package topics is the one list of the topics that bankimport needs, with all
// their settings, and compares it with a cluster.
//
// [List] is the list, [Compare] the comparison, [Plan.Apply] creates what is
// missing. Nothing is ever deleted or changed: a topic that exists with other
// settings is reported, because only an operator knows which of the two is
// right. It is used by "bankimport topics plan|apply", by dev and by tests.
package topics
