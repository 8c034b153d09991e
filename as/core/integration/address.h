/** @file Which addresses of the Internet are those of a network of somebody's own. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/** Is it an address that all of the Internet reaches? Not so are those of this host, of private networks, of a link, shared ones of a
 * carrier, multicast, and what is reserved or for documentation (RFC 6890); of IPv6 addresses that hold one of IPv4 (mapped, 6to4, NAT64)
 * that one counts, too.
 * @param ip  an IPv6 address, or an IPv4 one behind ::ffff: */
bool address_is_public(const uint8_t ip[16]);
