/** @file The certificate that MQTT clients are shown. */
#include "as/tls.h"
#include <openssl/err.h>
#include <openssl/ssl.h>

static int complain(struct as *as, const char *key, const char *file, struct text *err)
{
	char why[200];
	ERR_error_string_n(ERR_peek_last_error(), why, sizeof why);
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	daemon_where(as->daemon, err, key);
	text_printf(err, ": %s cannot be used: %s", file, reason ? reason : why);
	ERR_clear_error();
	return -EINVAL;
}

static int load(struct as *as, SSL_CTX *tls, struct text *err)
{
	const struct as_settings *s = as->settings;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(tls, s->tls_certificate) != 1)
		return complain(as, "as.tls-certificate", s->tls_certificate, err);
	if (SSL_CTX_use_PrivateKey_file(tls, s->tls_key, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(tls) != 1)
		return complain(as, "as.tls-key", s->tls_key, err);
	return 0;
}

static SSL_CTX *fresh(void)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	if (!tls)
		return NULL;
	SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
	return tls;
}

int tls_new(struct as *as, SSL_CTX **ret, struct text *err)
{
	const struct as_settings *s = as->settings;
	*ret = NULL;
	if (!s->tls_certificate[0] && !s->tls_key[0])
		return 0;
	if (!s->tls_certificate[0] || !s->tls_key[0]) {
		daemon_where(as->daemon, err, s->tls_key[0] ? "as.tls-certificate" : "as.tls-key");
		text_printf(err, ": is missing; TLS needs both as.tls-certificate and as.tls-key");
		return -EINVAL;
	}
	SSL_CTX *tls = fresh();
	if (!tls)
		return -ENOMEM;
	int r = load(as, tls, err);
	if (r) {
		SSL_CTX_free(tls);
		return r;
	}
	*ret = tls;
	return 0;
}

int tls_reload(struct as *as, SSL_CTX *tls, struct text *err)
{
	/* A context that half of a new pair was put into would serve nobody: try both on another one first.
	 */
	SSL_CTX *trial = fresh();
	if (!trial)
		return -ENOMEM;
	int r = load(as, trial, err);
	SSL_CTX_free(trial);
	return r ? r : load(as, tls, err);
}

void tls_free(SSL_CTX *tls)
{
	SSL_CTX_free(tls);
}
