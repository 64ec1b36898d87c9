"""The domain of a stage with `domain_name`: a regional custom domain, whose base path is the API's."""

from __future__ import annotations

from aws_cdk import CfnOutput, Stack, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53
from constructs import Construct

from imagegen.http import surface
from stacks.stage import StageConfig, StageError


class CustomDomain(Construct):
    """Serves the API at `https://DOMAIN/v1`, by TLS 1.2 or newer, and names it in a hosted zone if there is one."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: StageConfig, api: apigateway.RestApi
    ) -> None:
        super().__init__(scope, construct_id)
        arn = str(config.certificate_arn)
        _check_region(arn, region=Stack.of(self).region)
        self.name = str(config.domain_name)
        domain = apigateway.DomainName(
            self,
            "Domain",
            domain_name=self.name,
            certificate=acm.Certificate.from_certificate_arn(self, "Certificate", arn),
            endpoint_type=apigateway.EndpointType.REGIONAL,
            security_policy=apigateway.SecurityPolicy.TLS_1_2,
        )
        # The base path is the stage's name, so that each path is the same on either host.
        domain.add_base_path_mapping(api, base_path=surface.STAGE_NAME, stage=api.deployment_stage)
        if config.hosted_zone_id:
            route53.CfnRecordSet(
                self,
                "Record",
                type="A",
                name=self.name,
                hosted_zone_id=config.hosted_zone_id,
                alias_target=route53.CfnRecordSet.AliasTargetProperty(
                    dns_name=domain.domain_name_alias_domain_name,
                    hosted_zone_id=domain.domain_name_alias_hosted_zone_id,
                ),
            )
        else:
            # Without a zone of Route 53 the operator makes a CNAME record with this target.
            CfnOutput(Stack.of(self), "DomainTarget", value=domain.domain_name_alias_domain_name)


def _check_region(arn: str, *, region: str) -> None:
    home = arn.split(":")[3]
    if not Token.is_unresolved(region) and home != region:
        raise StageError(
            f"certificate_arn names a certificate in {home}, but the stack is in {region}: API Gateway takes a "
            f"regional domain's certificate from its own region, so request one in {region}."
        )
