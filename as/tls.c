/** @file TLS of those who come in: certificates of both sides. */
#include "as/tls.h"
#include "common/net_tls.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

static int complain(struct as *as, const char *key, const char *file, struct text *err)
{
	daemon_where(as->daemon, err, key);
	text_printf(err, ": %s cannot be used: ", file);
	net_tls_complaint(err);
	return -EINVAL;
}

/** What as.tls-client-certificates says. */
static const struct policy {
	const char *word;
	int verify;
} policies[] = {
	{ "none", SSL_VERIFY_NONE },
	{ "optional", SSL_VERIFY_PEER },
	{ "required", SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT },
};

static const struct policy *policy_find(struct str word)
{
	for (size_t i = 0; i < COUNT(policies); i++)
		if (str_is(word, policies[i].word))
			return &policies[i];
	return NULL;
}

bool tls_is_policy(struct str word)
{
	return policy_find(word) != NULL;
}

/* Without an authority there is nothing to check a certificate with: its fingerprint is what counts, for whoever looks at it. */
static int take_any(int is_good, X509_STORE_CTX *chain)
{
	(void)is_good, (void)chain;
	return 1;
}

/** Whose certificates are believed. The list of names tells a client which of its certificates to show. */
static int load_authority(struct as *as, enum tls_use use, SSL_CTX *tls, struct text *err)
{
	const struct as_settings *s = as->settings;
	int verify = policy_find(str_of(s->tls_client_certificates))->verify;
	/* The API goes by its keys; who comes for MQTT over WebSocket is judged there. */
	if (use == TLS_HTTP)
		verify &= ~SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	if (!s->tls_client_ca[0]) {
		SSL_CTX_set_verify(tls, use == TLS_HTTP ? SSL_VERIFY_NONE : verify, take_any);
		return 0;
	}
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(s->tls_client_ca);
	if (!store || !names || X509_STORE_load_file(store, s->tls_client_ca) != 1) {
		X509_STORE_free(store);
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return complain(as, "as.tls-client-ca", s->tls_client_ca, err);
	}
	SSL_CTX_set_cert_store(tls, store);
	SSL_CTX_set_client_CA_list(tls, names);
	SSL_CTX_set_verify(tls, verify, NULL);
	return 0;
}

static int load(struct as *as, enum tls_use use, SSL_CTX *tls, struct text *err)
{
	const struct as_settings *s = as->settings;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(tls, s->tls_certificate) != 1)
		return complain(as, "as.tls-certificate", s->tls_certificate, err);
	if (SSL_CTX_use_PrivateKey_file(tls, s->tls_key, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(tls) != 1)
		return complain(as, "as.tls-key", s->tls_key, err);
	return load_authority(as, use, tls, err);
}

static SSL_CTX *fresh(void)
{
	static const unsigned char name[] = "godwit";
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	if (!tls)
		return NULL;
	SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
	/* Without a name, a client with a certificate that comes back to its session is refused. */
	SSL_CTX_set_session_id_context(tls, name, sizeof name - 1);
	return tls;
}

/** Two files that are of no use without each other, and a policy that is of none without an authority. */
static int check(struct as *as, struct text *err)
{
	const struct as_settings *s = as->settings;
	bool has_both = s->tls_certificate[0] && s->tls_key[0];
	if (!has_both) {
		daemon_where(as->daemon, err, s->tls_key[0] ? "as.tls-certificate" : "as.tls-key");
		text_printf(err, ": is missing; TLS needs both as.tls-certificate and as.tls-key");
		return -EINVAL;
	}
	if (strcmp(s->tls_client_certificates, "required") == 0 && !s->tls_client_ca[0]) {
		daemon_where(as->daemon, err, "as.tls-client-ca");
		text_printf(err, ": is missing; it says whose certificates as.tls-client-certificates = required means");
		return -EINVAL;
	}
	return 0;
}

int tls_new(struct as *as, enum tls_use use, SSL_CTX **ret, struct text *err)
{
	const struct as_settings *s = as->settings;
	*ret = NULL;
	if (!s->tls_certificate[0] && !s->tls_key[0])
		return 0;
	TRY(check(as, err));
	SSL_CTX *tls = fresh();
	if (!tls)
		return -ENOMEM;
	int r = load(as, use, tls, err);
	if (r) {
		SSL_CTX_free(tls);
		return r;
	}
	*ret = tls;
	return 0;
}

int tls_reload(struct as *as, enum tls_use use, SSL_CTX *tls, struct text *err)
{
	if (!tls)
		return 0;
	/* A context that half of a new pair was put into would serve nobody: try them on another one first. */
	SSL_CTX *trial = fresh();
	if (!trial)
		return -ENOMEM;
	int r = load(as, use, trial, err);
	SSL_CTX_free(trial);
	return r ? r : load(as, use, tls, err);
}

int tls_client(const struct ssl_st *tls, struct tls_client *ret)
{
	X509 *certificate = tls ? SSL_get0_peer_certificate(tls) : NULL;
	unsigned n = 0;
	memset(ret, 0, sizeof *ret);
	if (!certificate || X509_digest(certificate, EVP_sha256(), ret->sha256, &n) != 1)
		return -ENOENT;
	const X509_NAME *subject = X509_get_subject_name(certificate);
	BIO *out = BIO_new(BIO_s_mem());
	char *text = NULL;
	if (out && X509_NAME_print_ex(out, subject, 0, XN_FLAG_RFC2253) >= 0) {
		long len = BIO_get_mem_data(out, &text);
		struct text t = text_fixed(ret->subject, sizeof ret->subject);
		text_put(&t, (struct str){ text, len > 0 ? (size_t)len : 0 });
	}
	BIO_free(out);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *name = NULL;
	int len = at < 0 ? -1 : ASN1_STRING_to_UTF8(&name, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (len > 0)
		(void)str_copy((struct str){ (char *)name, (size_t)len }, ret->common_name, sizeof ret->common_name);
	OPENSSL_free(name);
	/* Without an authority every chain was let through. */
	ret->is_verified = SSL_get_verify_result(tls) == X509_V_OK && SSL_get_verify_callback(tls) == NULL;
	return 0;
}

bool tls_may_enter(const struct as *as, const SSL *tls)
{
	const struct policy *p = policy_find(str_of(as->settings->tls_client_certificates));
	/* One that no authority of ours has signed did not come through the handshake. */
	return !tls || !(p->verify & SSL_VERIFY_FAIL_IF_NO_PEER_CERT) || SSL_get0_peer_certificate(tls);
}

void tls_free(SSL_CTX *tls)
{
	SSL_CTX_free(tls);
}
