"""The kinds of secrets: one row of the table for each detector, with reasons for its severity."""

from collections.abc import Mapping
from dataclasses import dataclass

from reviewbot.core import Severity

HIGH, MEDIUM, LOW = Severity.HIGH, Severity.MEDIUM, Severity.LOW


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table: ``rule`` is its id, ``trial`` its severity in tests, examples and documents."""

    rule: str
    severity: Severity
    confidence: float
    trial: Severity
    what: str


def _known(rule: str, what: str, trial: Severity = HIGH) -> Kind:
    """A format of its own with a fixed prefix: chance does not write it, also not in tests."""
    return Kind(rule, HIGH, 0.9, trial, what)


def _loose(rule: str, what: str) -> Kind:
    """A format that other text has too (32 letters and digits): shown, but never a blocker."""
    return Kind(rule, MEDIUM, 0.5, LOW, what)


def _guess(rule: str, what: str) -> Kind:
    """No format at all: below the confidence that blocks."""
    return Kind(rule, MEDIUM, 0.4, LOW, what)


KINDS: Mapping[str, Kind] = {
    "AWS Access Key": _known("aws-access-key", "an AWS key"),
    "AWS Secret Key": _known("aws-secret-key", "an AWS secret key"),
    "Anthropic API Key": _known("anthropic-api-key", "an Anthropic API key"),
    "Azure Storage Account access key": _known("azure-storage-key", "an Azure storage account key"),
    "Databricks Token": _known("databricks-token", "a Databricks token"),
    "DigitalOcean Token": _known("digitalocean-token", "a DigitalOcean token"),
    "Discord Bot Token": _known("discord-bot-token", "a Discord bot token"),
    "Docker Token": _known("docker-token", "a Docker Hub token"),
    "GitHub Token": _known("github-token", "a GitHub token"),
    "GitLab Token": _known("gitlab-token", "a GitLab token"),
    "Google API Key": _known("google-api-key", "a Google API key"),
    "Google OAuth Secret": _known("google-oauth-secret", "a Google OAuth client secret"),
    "Grafana Token": _known("grafana-token", "a Grafana service account token"),
    "Hugging Face Token": _known("hugging-face-token", "a Hugging Face token"),
    "NPM tokens": _known("npm-token", "an npm token"),
    "OpenAI Token": _known("openai-api-key", "an OpenAI API key"),
    "PyPI Token": _known("pypi-token", "a PyPI token"),
    "SendGrid API Key": _known("sendgrid-api-key", "a SendGrid API key"),
    "Shopify Token": _known("shopify-token", "a Shopify token"),
    "Slack Token": _known("slack-token", "a Slack token or web hook"),
    "Square OAuth Secret": _known("square-oauth-secret", "a Square OAuth secret"),
    "Stripe Access Key": _known("stripe-access-key", "a live Stripe key"),
    "Telegram Bot Token": _known("telegram-bot-token", "a Telegram bot token"),
    "Vault Token": _known("vault-token", "a HashiCorp Vault token"),
    "age Secret Key": _known("age-secret-key", "an age secret key"),
    # tests need keys, tokens and URLs of their own
    "Private Key": _known("private-key", "a private key", MEDIUM),
    "Encoded Private Key": _known("encoded-private-key", "a private key in base64", MEDIUM),
    "Webhook Secret": Kind("webhook-secret", MEDIUM, 0.6, LOW, "a secret that signs web hooks"),
    "JSON Web Token": Kind("json-web-token", MEDIUM, 0.6, LOW, "a JSON Web Token; many are short-lived"),
    "Basic Auth Credentials": Kind("basic-auth-url", HIGH, 0.7, MEDIUM, "a URL with a password"),
    "Artifactory Credentials": _loose("artifactory-credentials", "an Artifactory credential"),
    "Cloudant Credentials": _loose("cloudant-credentials", "a Cloudant credential"),
    "IBM Cloud IAM Key": _loose("ibm-cloud-iam-key", "an IBM Cloud key"),
    "IBM COS HMAC Credentials": _loose("ibm-cos-hmac", "an IBM object storage credential"),
    "Mailchimp Access Key": _loose("mailchimp-access-key", "a Mailchimp key"),
    "SoftLayer Credentials": _loose("softlayer-credentials", "a SoftLayer credential"),
    "Twilio API Key": _loose("twilio-api-key", "a Twilio key or account id"),
    "Secret Keyword": _guess("secret-keyword", "a password or key, from the name it is given"),
    "Base64 High Entropy String": _guess("base64-high-entropy", "a secret, from how random it is"),
    "Hex High Entropy String": _guess("hex-high-entropy", "a secret, from how random it is"),
}
WITH_BODY = ("Private Key", "Encoded Private Key")
UNKNOWN = _loose("unknown-format", "a secret of a format that has no row in our table yet")
