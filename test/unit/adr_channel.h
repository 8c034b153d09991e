/** @file A radio channel and a device with ADR, written from physics and the specification and not from ns/core: path loss,
 * shadowing, fading, noise, collisions; back-off, refusals, lost downlinks. Floating point, EU868.
 *
 * Path loss over land at 868 MHz: 128.95 + 23.2 log10(km) dB, shadowing 4 to 8 dB (Petäjäjärvi and others 2015). Receiver noise:
 * kTB of 125 kHz and a noise figure of 6 dB. Required SNR: SX1276 data sheet, table 13. Back-off: LoRaWAN 1.0.4 4.3.1.1.
 */
#pragma once
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { CH_GATEWAYS = 4, CH_NEVER = 1 << 30 };

enum ch_fading { CH_STILL, CH_RICE, CH_RAYLEIGH };

struct ch_air {
	uint64_t seed;
	int gateways;
	double km[CH_GATEWAYS];
	double shadow_db, shadow_keep; /**< standard deviation, and what is left of it after an uplink */
	double shadow[CH_GATEWAYS];
	enum ch_fading fading;
	double load;       /**< share of time that somebody else is on air, per channel, at the device's spreading factor */
	double extra_db;   /**< a wall, a basement */
};

static inline double ch_even(struct ch_air *c)
{
	/* xorshift64*, Marsaglia and Vigna */
	c->seed ^= c->seed >> 12;
	c->seed ^= c->seed << 25;
	c->seed ^= c->seed >> 27;
	return (double)((c->seed * 0x2545F4914F6CDD1DULL) >> 11) / 9007199254740992.0;
}

static inline double ch_gauss(struct ch_air *c)
{
	double u = ch_even(c), v = ch_even(c);
	return sqrt(-2 * log(u + 1e-300)) * cos(2 * M_PI * v);
}

static inline double ch_fading_db(struct ch_air *c)
{
	double k = c->fading == CH_RICE ? 4 : 0; /* 6 dB */
	if (c->fading == CH_STILL)
		return 0;
	double x = sqrt(k / (k + 1)) + ch_gauss(c) / sqrt(2 * (k + 1)), y = ch_gauss(c) / sqrt(2 * (k + 1));
	return 10 * log10(x * x + y * y + 1e-12);
}

/** Uplink to uplink the surroundings change a little. */
static inline void ch_time_passes(struct ch_air *c)
{
	for (int g = 0; g < c->gateways; g++)
		c->shadow[g] = c->shadow[g] * c->shadow_keep + ch_gauss(c) * c->shadow_db * sqrt(1 - c->shadow_keep * c->shadow_keep);
}

/** SNR at a gateway in 125 kHz, of a sender of so many dBm EIRP. */
static inline double ch_snr_db(struct ch_air *c, int g, double eirp_dbm)
{
	double loss_db = 128.95 + 23.2 * log10(c->km[g]) + c->shadow[g] + c->extra_db, noise_dbm = -174 + 10 * log10(125e3) + 6;
	return eirp_dbm - loss_db - noise_dbm + ch_fading_db(c);
}

static inline double ch_floor_db(int sf)
{
	return -7.5 - 2.5 * (sf - 7);
}

/** Seconds of a frame of 33 octets, 125 kHz, as SX1276's data sheet says (4.1.1.7). */
static inline double ch_airtime_s(int sf)
{
	double symbol_s = pow(2, sf) / 125e3, low = sf > 10 ? 1 : 0;
	double n = ceil((8 * 33 - 4 * sf + 28 + 16) / (4 * (sf - 2 * low))) * 5;
	return (12.25 + 8 + (n > 0 ? n : 0)) * symbol_s;
}

/** @return gateways that hear it; the best SNR as they report it: quarter decibels, not above 12 */
static inline int ch_send(struct ch_air *c, int sf, double eirp_dbm, double *ret_snr_db)
{
	int n = 0;
	double p_free = exp(-2 * c->load * ch_airtime_s(sf) / ch_airtime_s(7));
	for (int g = 0; g < c->gateways; g++) {
		double snr = ch_snr_db(c, g, eirp_dbm);
		if (snr < ch_floor_db(sf) || ch_even(c) > p_free)
			continue;
		snr = snr + ch_gauss(c) * 0.7;
		snr = floor((snr > 12 ? 12 : snr) * 4) / 4;
		if (n++ == 0 || snr > *ret_snr_db)
			*ret_snr_db = snr;
	}
	return n;
}

struct ch_device {
	int dr, power, nb_trans, silent; /**< silent: uplinks since the last downlink (ADR_ACK_CNT) */
	uint32_t f_cnt;
	int max_dr, max_power;           /**< it refuses more */
	bool owes_answer, dr_ok, power_ok;
	double air_s;
	int changes;
};

static inline int ch_sf(const struct ch_device *d)
{
	return 12 - d->dr;
}

static inline double ch_eirp_dbm(const struct ch_device *d)
{
	return 16 - 2 * d->power;
}

/** What the device does by itself before an uplink. @return ADRACKReq */
static inline bool ch_back_off(struct ch_device *d)
{
	d->silent++;
	if (d->silent >= 64 + 32 && (d->silent - 64) % 32 == 0) {
		if (d->power > 0)
			d->power = 0;
		else if (d->dr > 0)
			d->dr--, d->changes++;
		else
			d->nb_trans = 1;
	}
	return d->silent >= 64;
}

/** LinkADRReq; the answer goes with the next uplink. */
static inline void ch_told(struct ch_device *d, int dr, int power, int nb_trans)
{
	d->owes_answer = true;
	d->dr_ok = dr <= d->max_dr;
	d->power_ok = power <= d->max_power;
	if (!d->dr_ok || !d->power_ok)
		return;
	d->changes += d->dr != dr;
	d->dr = dr;
	d->power = power;
	d->nb_trans = nb_trans;
}
