/** @file The route tables of the API's files, each terminated by path NULL. */
#pragma once
#include "as/api/route.h"
#include "common/health.h"

extern const struct api_route api_app_routes[];
extern const struct api_route api_key_routes[];
extern const struct api_route api_mqtt_info_routes[];
extern const struct api_route api_pubsub_routes[];
extern const struct api_route api_webhook_routes[];
extern const struct api_route api_device_routes[];
extern const struct api_route api_credentials_routes[];
extern const struct api_route api_call_routes[];
extern const struct api_route api_claim_routes[];
extern const struct api_route api_batch_routes[];
extern const struct api_route api_simulate_routes[];
extern const struct api_route api_formatter_routes[];
extern const struct api_route api_attribute_routes[];
extern const struct api_route api_telemetry_routes[];
extern const struct api_route api_fleet_routes[];
extern const struct api_route api_member_routes[];
extern const struct api_route api_gateway_routes[];
extern const struct api_route api_why_routes[];
extern const struct api_route api_openapi_routes[];
extern const struct api_route api_health_about[];
/** Metrics and readiness of the application server (common/health.h). */
struct as;
struct health api_health(struct as *as);
