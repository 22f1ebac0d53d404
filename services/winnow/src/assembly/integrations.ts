import type { Config, IntegrationConfig } from "@winnow/platform";
import type { Credential, Integration } from "@winnow/receiver";
import { type AuthKind, authKinds, type SourceSettings, sourceByType } from "@winnow/sources";

/** The one tenant, for now. */
export const tenant = "default";

/** Every configured inbound tool, its secrets and settings resolved. */
export function integrationsOf(config: Config, token: string): Integration[] {
  return config.integrations.flatMap((integration) => {
    const source = sourceByType(integration.type);
    if (source === undefined) return [];
    return [
      {
        name: integration.name,
        source,
        credentials: credentialsOf(integration, token),
        settings: settingsOf(integration),
        tenant,
        scope: integration.scope ?? tenant,
        ...(integration.identity === null ? {} : { identityRecipe: integration.identity }),
      },
    ];
  });
}

/** Without credentials of its own an integration is guarded by the installation's token, wherever that may stand. */
function credentialsOf(integration: IntegrationConfig, token: string): Credential[] {
  if (integration.credentials === null) {
    const kinds: readonly AuthKind[] = authKinds;
    return [{ kinds, secret: { reveal: () => token } }];
  }
  return integration.credentials.map((credential) => ({
    kinds: credential.kinds,
    secret: credential.secret,
    ...(credential.header === undefined ? {} : { header: credential.header }),
    ...(credential.username === undefined ? {} : { username: credential.username }),
  }));
}

function settingsOf(integration: IntegrationConfig): SourceSettings {
  return {
    identityExclude: integration.identity_exclude,
    ...(integration.environment === null ? {} : { environment: integration.environment }),
    ...(integration.time_zone === null ? {} : { timeZone: integration.time_zone }),
  };
}
