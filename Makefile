# make             build godwit-gs, godwit-ns, godwit-as, godwit and godwit-sim (configures on first use)
# make check       run the unit tests, the vectors and the fuzz corpus
# make check-asan  the same under address and undefined-behaviour sanitizers, warnings as errors
# make lint        pure code stays pure, includes go one way, functions stay short
# make fuzz        every fuzz target for FUZZ_SECONDS (5) with libFuzzer
# make coverage    lines of the cores and formats that the tests run, by folder (gcov)
# make bench       gateways, devices and a subscriber through the real programs, without traces and with; devices that speak IP; the MQTT engine beside mosquitto
# make install     programs, systemd units, manual pages and an example configuration (DESTDIR=, prefix=, unitdir=, confdir=)
# make help        list the targets
.DEFAULT_GOAL := all
B ?= build
CONFIGURE_FLAGS ?=
FUZZ_SECONDS ?= 5
here := $(dir $(lastword $(MAKEFILE_LIST)))

help: ; @grep -h '^# make' $(here)Makefile | cut -c3-

$(B)/config.mk: $(here)configure $(here)configure.ac $(here)deploy/build/VERSION $(here)deploy/build/config.mk.in
	@mkdir -p $(B)
	@cd $(B) && if test -x config.status; then $(abspath $(here))/configure --refresh && ./config.status -q --recheck && ./config.status -q; \
	  else $(abspath $(here))/configure -q $(CONFIGURE_FLAGS); fi

ifeq (,$(filter help distclean,$(MAKECMDGOALS)))
include $(B)/config.mk
endif

ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(WARN) $(HARDEN) -MMD -MP -I$(S) $(PC_CFLAGS) -DVERSION='"$(VERSION)"' $(CPPFLAGS) $(CFLAGS)
ALL_LIBS = $(EVENT_LIBS) $(SSL_LIBS) $(MSGPACK_LIBS) $(LMDB_LIBS) $(WSLAY_LIBS) $(LZ4_LIBS) $(SCRIPT_LIBS) $(SECCOMP_LIBS) -lm -lpthread

# One static library per folder; every .c in it and in the folders below belongs to it, except main.c and the engines of scripts
# that configure did not choose.
no_engine = $(addprefix $(S)/as/scripts/,$(addsuffix .c,$(filter-out $(SCRIPT_ENGINE),duktape quickjs)))
lib_src = $(filter-out %/main.c $(no_engine),$(wildcard $(S)/$1/*.c $(S)/$1/*/*.c $(S)/$1/*/*/*.c))
objs    = $(patsubst $(S)/%.c,$(B)/%.o,$1)
LIBS_common := $(B)/libcommon.a
LIBS_proto  := $(B)/libproto.a $(B)/libcommon.a

# program:where its main is
MAINS := godwit-gs:gs godwit-ns:ns godwit-as:as godwit:as/cli godwit-sim:test/sim
PROGRAMS = $(foreach m,$(MAINS),$(if $(wildcard $(S)/$(lastword $(subst :, ,$m))/main.c),$(B)/$(firstword $(subst :, ,$m))))

ifdef S
define lib_rule
$(B)/lib$1.a: $(call objs,$(call lib_src,$1))
	@rm -f $$@; $(AR) qcs $$@ $$^
endef
$(foreach l,common proto gs ns as,$(eval $(call lib_rule,$l)))
endif

# Programs that only tests run: never installed.
TEST_PROGRAMS := $(B)/test/mqtt_broker/mqtt-broker
all: $(PROGRAMS) $(TEST_PROGRAMS)
link = $(CC) $(HARDEN) $(CFLAGS) $(LDFLAGS) $(LINK_HARDEN) -o $@ $^ $(ALL_LIBS)
$(B)/godwit-gs: $(B)/gs/main.o $(B)/libgs.a $(LIBS_proto) ; $(link)
$(B)/godwit-ns: $(B)/ns/main.o $(B)/libns.a $(LIBS_proto) ; $(link)
$(B)/godwit-as: $(B)/as/main.o $(B)/libas.a $(LIBS_proto) ; $(link)
$(B)/godwit: $(B)/as/cli/main.o $(B)/libas.a $(LIBS_proto) ; $(link)
$(B)/godwit-sim: $(call objs,$(wildcard $(S)/test/sim/*.c)) $(LIBS_proto) ; $(link)
$(B)/test/mqtt_broker/mqtt-broker: $(B)/test/mqtt_broker/main.o $(B)/libas.a $(LIBS_proto) ; $(link)
# What runs before every script of a payload formatter, as an initializer of octets.
$(B)/as/scripts/prelude.inc: $(S)/as/scripts/prelude.js
	@mkdir -p $(@D)
	@od -An -v -tu1 $< | sed 's/[0-9][0-9]*/&,/g' > $@
$(B)/as/scripts/prelude.o: $(B)/as/scripts/prelude.inc
$(B)/as/scripts/prelude.o: CPPFLAGS += -I$(B)
$(B)/%.o: $(S)/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

EVERY_LIB = $(B)/libgs.a $(B)/libns.a $(B)/libas.a $(LIBS_proto)
TESTS := $(patsubst $(S)/%.c,$(B)/%,$(wildcard $(S)/test/unit/test_*.c $(S)/test/faults/test_*.c $(S)/test/scenario/test_*.c))
# The rooms of the scenario language, and those of the town.
scn = $(patsubst %,$(B)/test/scenario/%.o,$1)
$(B)/test/scenario/test_scenarios: $(call scn,words statements expectations commands chance)
$(B)/test/scenario/test_day: $(call scn,node node_join node_mac build house servers items law law_items town)

$(TESTS): $(B)/%: $(B)/%.o $(EVERY_LIB)
	$(CC) $(HARDEN) $(CFLAGS) $(LDFLAGS) $(LINK_HARDEN) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(CHECK_LIBS) $(ALL_LIBS)

# This one fails each allocation of the MQTT engine in turn.
$(B)/test/faults/test_mqtt_memory: LDFLAGS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray

comma := ,
# This one stands in for what the room of encoders works with.
$(B)/test/unit/test_encode: LDFLAGS += $(addprefix -Wl$(comma)--wrap=,lines_handle lines_waits lines_add lines_done lines_again \
	scripts_available scripts_start scripts_cancel downlinks_take registry_watch registry_device_by_uid)

# A fuzz target is LLVMFuzzerTestOneInput in test/fuzz/fuzz_<x>.c; its corpus is test/fuzz/corpus/<x>/. In `make check` a plain
# main runs the corpus, so that every input that once broke something stays a test.
FUZZ := $(patsubst $(S)/test/fuzz/%.c,%,$(wildcard $(S)/test/fuzz/fuzz_*.c))
CORPUS_TESTS := $(FUZZ:%=$(B)/test/fuzz/%)
$(CORPUS_TESTS): $(B)/test/fuzz/%: $(B)/test/fuzz/%.o $(B)/test/fuzz/corpus_main.o $(EVERY_LIB)
	$(CC) $(HARDEN) $(CFLAGS) $(LDFLAGS) $(LINK_HARDEN) -o $@ $^ $(ALL_LIBS)

check: $(TESTS) $(CORPUS_TESTS)
	@$(S)/test/run-unit $(S) $(B) $(TESTS) $(CORPUS_TESTS)

check-asan: ; $(MAKE) -f $(here)Makefile B=$(B)-asan CONFIGURE_FLAGS="--enable-sanitize --enable-werror" check
all-asan: ; $(MAKE) -f $(here)Makefile B=$(B)-asan CONFIGURE_FLAGS="--enable-sanitize --enable-werror" all
# Lines that tests run; LIST=ns/core/mac/adr.c: those of one file that they do not.
coverage: ; $(MAKE) -f $(here)Makefile B=$(B)-cov CONFIGURE_FLAGS="--enable-coverage CFLAGS=-O0" $(if $(LIST),coverage-list,coverage-report)
coverage-report: $(TESTS) $(CORPUS_TESTS)
	@find $(B) -name '*.gcda' -delete
	@$(S)/test/run-unit $(S) $(B) $(TESTS) $(CORPUS_TESTS) || echo "a test that fails is none of coverage's business: make check"
	@$(S)/test/coverage $(S) $(B)
coverage-list: ; @LIST=$(LIST) $(S)/test/coverage $(S) $(B)

fuzz: ; $(MAKE) -f $(here)Makefile B=$(B)-fuzz CONFIGURE_FLAGS="--enable-fuzz --enable-werror CC=clang" fuzz-run
fuzz-build: ; $(MAKE) -f $(here)Makefile B=$(B)-fuzz CONFIGURE_FLAGS="--enable-fuzz --enable-werror CC=clang" fuzzers
FUZZERS := $(FUZZ:%=$(B)/test/fuzz/%.libfuzzer)
$(FUZZERS): $(B)/test/fuzz/%.libfuzzer: $(B)/test/fuzz/%.o $(EVERY_LIB)
	$(CC) $(HARDEN) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(ALL_LIBS)
fuzzers: $(FUZZERS)
fuzz-run: $(FUZZERS)
	@$(S)/test/run-fuzz $(S) $(FUZZ_SECONDS) $(FUZZERS)

lint: all ; @$(S)/test/lint/run $(S) $(B)
BENCHES := $(patsubst $(S)/%.c,$(B)/%,$(wildcard $(S)/test/bench/bench_*.c))
$(BENCHES): $(B)/%: $(B)/%.o $(EVERY_LIB)
	$(CC) $(HARDEN) $(CFLAGS) $(LDFLAGS) $(LINK_HARDEN) -o $@ $^ $(ALL_LIBS)
MQTT_LOAD := $(B)/test/bench/mqtt-load
$(MQTT_LOAD): $(B)/test/bench/mqtt_load.o ; $(link)
bench: all $(BENCHES) $(MQTT_LOAD)
	@for b in $(BENCHES); do $$b || exit 1; done
	@$(S)/test/bench/mqtt $(S) $(B)
	@BENCH_TRACES="$${BENCH_TRACES-off failures all}" $(S)/test/bench/run $(S) $(B)
	@$(S)/test/bench/devices $(S) $(B)

# One template makes the three units. systemd looks below /usr/lib and /usr/local/lib; units of another prefix are linked by hand.
unitdir     ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d
completiondir ?= $(datarootdir)/bash-completion/completions
zshcompletiondir ?= $(datarootdir)/zsh/site-functions
confdir     ?= /etc/godwit
monitordir   = $(datarootdir)/godwit
UNITS := $(foreach u,gs ns as,$(B)/systemd/godwit-$u.service)
about_gs := the gateway server
about_ns := the network server
about_as := the application server
after_gs := $() godwit-ns.service
after_as := $() godwit-ns.service
$(UNITS): $(B)/systemd/godwit-%.service: $(here)deploy/systemd/daemon.service.in $(B)/config.mk
	@mkdir -p $(@D)
	@sed -e 's,@program@,godwit-$*,g' -e 's,@bindir@,$(bindir),' -e 's,@about@,$(about_$*),' -e 's,@after@,$(after_$*),' $< > $@
	@echo "$@"
units: $(UNITS)

# What is installed besides the programs: its folder, and where it comes from.
DATA_DIRS := $(unitdir) $(mandir)/man1 $(mandir)/man5 $(mandir)/man8 $(docdir) $(docdir)/examples $(monitordir)/prometheus $(monitordir)/grafana $(completiondir) $(zshcompletiondir)
in$(unitdir)         = $(UNITS) $(S)/deploy/systemd/godwit.target
in$(mandir)/man1     = $(wildcard $(S)/deploy/man/*.1)
in$(mandir)/man5     = $(wildcard $(S)/deploy/man/*.5)
in$(mandir)/man8     = $(wildcard $(S)/deploy/man/*.8)
in$(docdir)          = $(S)/README.md $(S)/LICENSE $(S)/deploy/openapi.json $(wildcard $(S)/deploy/docs/*.md)
in$(completiondir)   = $(S)/deploy/completions/godwit
in$(zshcompletiondir) = $(S)/deploy/completions/_godwit
in$(monitordir)/prometheus = $(wildcard $(S)/deploy/prometheus/*.yml)
in$(monitordir)/grafana = $(wildcard $(S)/deploy/grafana/*.json)
in$(docdir)/examples = $(S)/deploy/godwit.conf $(wildcard $(S)/deploy/examples/*.conf $(S)/deploy/examples/*.js)
conf = $(DESTDIR)$(confdir)/godwit.conf

# A configuration that is there already is the operator's, and stays; so does, in a home directory, an /etc that is not ours.
install-programs: $(PROGRAMS)
	install -d $(DESTDIR)$(bindir)
	install -m755 $(PROGRAMS) $(DESTDIR)$(bindir)/
	install -m755 $(S)/deploy/bus-ca $(DESTDIR)$(bindir)/godwit-bus-ca
install: install-programs units
	install -d $(DESTDIR)$(sysusersdir) $(DESTDIR)$(tmpfilesdir) $(DATA_DIRS:%=$(DESTDIR)%)
	install -m644 $(S)/deploy/systemd/godwit.sysusers $(DESTDIR)$(sysusersdir)/godwit.conf
	install -m644 $(S)/deploy/systemd/godwit.tmpfiles $(DESTDIR)$(tmpfilesdir)/godwit.conf
	$(foreach d,$(DATA_DIRS),install -m644 $(in$d) $(DESTDIR)$d/ &&) true
	test -e $(conf) || test ! -w $(or $(DESTDIR),/etc) || install -Dm644 $(S)/deploy/godwit.conf $(conf)
uninstall:
	rm -f $(PROGRAMS:$(B)/%=$(DESTDIR)$(bindir)/%) $(DESTDIR)$(bindir)/godwit-bus-ca $(DESTDIR)$(sysusersdir)/godwit.conf $(DESTDIR)$(tmpfilesdir)/godwit.conf
	rm -f $(foreach d,$(DATA_DIRS),$(addprefix $(DESTDIR)$d/,$(notdir $(in$d))))
	! cmp -s $(S)/deploy/godwit.conf $(conf) || rm -f $(conf)
clean: ; rm -rf $(B)/systemd $(B)/common $(B)/proto $(B)/gs $(B)/ns $(B)/as $(B)/test $(B)/*.a $(PROGRAMS)
distclean: ; rm -rf $(here)build $(here)build-asan $(here)build-fuzz $(here)build-cov $(here)deploy/build/configure $(here)autom4te.cache

# make dist        source archive, with configure already made
D = godwit-$(VERSION)
dist:
	rm -rf $(B)/$D && mkdir -p $(B)/$D
	$(S)/deploy/build/sources | tar -c -C $(S) -T - | tar -x -C $(B)/$D
	cp $(S)/deploy/build/configure $(B)/$D/deploy/build/
	tar -cz --owner=0 --group=0 -f $(B)/$D.tar.gz -C $(B) $D && rm -rf $(B)/$D
# make distcheck   unpack the archive read-only, then build, test, install and uninstall from it
distcheck: dist
	@chmod -R u+w $(B)/dc 2>/dev/null || true
	rm -rf $(B)/dc && mkdir -p $(B)/dc/b && tar -xzf $(B)/$D.tar.gz -C $(B)/dc && chmod -R a-w $(B)/dc/$D
	cd $(B)/dc/b && ../$D/configure -q --prefix=/usr && $(MAKE) all check && \
	  $(MAKE) install DESTDIR=$(abspath $(B))/dc/i && $(MAKE) uninstall DESTDIR=$(abspath $(B))/dc/i && \
	  test -z "`find $(abspath $(B))/dc/i -type f`"
	chmod -R u+w $(B)/dc && rm -rf $(B)/dc && echo "$D.tar.gz is good"

.PHONY: all all-asan help lint check check-asan coverage coverage-report coverage-list fuzz fuzz-build fuzzers fuzz-run bench units install install-programs uninstall clean distclean dist distcheck
.SECONDARY:
-include $(shell find $(B) -path $(B)/deb -prune -o -path $(B)/fresh -prune -o -name '*.d' -type f -print 2>/dev/null)
