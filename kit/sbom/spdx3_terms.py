"""The terms of SPDX 3.0.1: classes with their properties, and words of each vocabulary.

Specification: SPDX 3.0.1, all of its profiles, in the names of its JSON form.
"""

from __future__ import annotations

# A class, after `<` the class it extends; below it its own properties with what they hold.  One
# with `!` must be there, one with `!!` holds at least two, one with `*` holds an array.  What is
# neither a class nor a vocabulary: text, uri, time, version (semver), media (a media type),
# positive, natural, number, bool.
CLASSES = """
CreationInfo
    comment:text created!:time createdBy!:Agent* createdUsing:Tool* specVersion!:version
DictionaryEntry
    key!:text value:text
abstract Element
    comment:text creationInfo!:CreationInfo description:text extension:extension_Extension*
    externalIdentifier:ExternalIdentifier* externalRef:ExternalRef* name:text summary:text
    verifiedUsing:IntegrityMethod*
abstract ElementCollection < Element
    element:Element* profileConformance:ProfileIdentifierType* rootElement:Element*
ExternalIdentifier
    comment:text externalIdentifierType!:ExternalIdentifierType identifier!:text
    identifierLocator:uri* issuingAuthority:text
ExternalMap
    definingArtifact:Artifact externalSpdxId!:uri locationHint:uri
    verifiedUsing:IntegrityMethod*
ExternalRef
    comment:text contentType:media externalRefType:ExternalRefType locator:text*
IndividualElement < Element
abstract IntegrityMethod
    comment:text
NamespaceMap
    namespace!:uri prefix!:text
PackageVerificationCode < IntegrityMethod
    algorithm!:HashAlgorithm hashValue!:text packageVerificationCodeExcludedFile:text*
PositiveIntegerRange
    beginIntegerRange!:positive endIntegerRange!:positive
Relationship < Element
    completeness:RelationshipCompleteness endTime:time from!:Element
    relationshipType!:RelationshipType startTime:time to!:Element*
SpdxDocument < ElementCollection
    dataLicense:simplelicensing_AnyLicenseInfo import:ExternalMap* namespaceMap:NamespaceMap*
Tool < Element
Agent < Element
Annotation < Element
    annotationType!:AnnotationType contentType:media statement:text subject!:Element
abstract Artifact < Element
    builtTime:time originatedBy:Agent* releaseTime:time standardName:text* suppliedBy:Agent
    supportLevel:SupportType* validUntilTime:time
Bundle < ElementCollection
    context:text
Hash < IntegrityMethod
    algorithm!:HashAlgorithm hashValue!:text
LifecycleScopedRelationship < Relationship
    scope:LifecycleScopeType
Organization < Agent
Person < Agent
SoftwareAgent < Agent
Bom < Bundle
ai_EnergyConsumption
    ai_finetuningEnergyConsumption:ai_EnergyConsumptionDescription*
    ai_inferenceEnergyConsumption:ai_EnergyConsumptionDescription*
    ai_trainingEnergyConsumption:ai_EnergyConsumptionDescription*
ai_EnergyConsumptionDescription
    ai_energyQuantity!:number ai_energyUnit!:ai_EnergyUnitType
abstract expandedlicensing_LicenseAddition < Element
    expandedlicensing_additionText!:text expandedlicensing_isDeprecatedAdditionId:bool
    expandedlicensing_licenseXml:text expandedlicensing_obsoletedBy:text
    expandedlicensing_seeAlso:uri* expandedlicensing_standardAdditionTemplate:text
expandedlicensing_ListedLicenseException < expandedlicensing_LicenseAddition
    expandedlicensing_deprecatedVersion:text expandedlicensing_listVersionAdded:text
extension_CdxPropertyEntry
    extension_cdxPropName!:text extension_cdxPropValue:text
abstract extension_Extension
abstract security_VulnAssessmentRelationship < Relationship
    suppliedBy:Agent security_assessedElement:software_SoftwareArtifact
    security_modifiedTime:time security_publishedTime:time security_withdrawnTime:time
abstract simplelicensing_AnyLicenseInfo < Element
simplelicensing_LicenseExpression < simplelicensing_AnyLicenseInfo
    simplelicensing_customIdToUri:DictionaryEntry* simplelicensing_licenseExpression!:text
    simplelicensing_licenseListVersion:version
simplelicensing_SimpleLicensingText < Element
    simplelicensing_licenseText!:text
software_ContentIdentifier < IntegrityMethod
    software_contentIdentifierType!:software_ContentIdentifierType
    software_contentIdentifierValue!:uri
build_Build < Element
    build_buildEndTime:time build_buildId:text build_buildStartTime:time build_buildType!:uri
    build_configSourceDigest:Hash* build_configSourceEntrypoint:text* build_configSourceUri:uri*
    build_environment:DictionaryEntry* build_parameter:DictionaryEntry*
expandedlicensing_ConjunctiveLicenseSet < simplelicensing_AnyLicenseInfo
    expandedlicensing_member!!:simplelicensing_AnyLicenseInfo*
expandedlicensing_CustomLicenseAddition < expandedlicensing_LicenseAddition
expandedlicensing_DisjunctiveLicenseSet < simplelicensing_AnyLicenseInfo
    expandedlicensing_member!!:simplelicensing_AnyLicenseInfo*
abstract expandedlicensing_ExtendableLicense < simplelicensing_AnyLicenseInfo
expandedlicensing_IndividualLicensingInfo < simplelicensing_AnyLicenseInfo
abstract expandedlicensing_License < expandedlicensing_ExtendableLicense
    expandedlicensing_isDeprecatedLicenseId:bool expandedlicensing_isFsfLibre:bool
    expandedlicensing_isOsiApproved:bool expandedlicensing_licenseXml:text
    expandedlicensing_obsoletedBy:text expandedlicensing_seeAlso:uri*
    expandedlicensing_standardLicenseHeader:text expandedlicensing_standardLicenseTemplate:text
    simplelicensing_licenseText!:text
expandedlicensing_ListedLicense < expandedlicensing_License
    expandedlicensing_deprecatedVersion:text expandedlicensing_listVersionAdded:text
expandedlicensing_OrLaterOperator < expandedlicensing_ExtendableLicense
    expandedlicensing_subjectLicense!:expandedlicensing_License
expandedlicensing_WithAdditionOperator < simplelicensing_AnyLicenseInfo
    expandedlicensing_subjectAddition!:expandedlicensing_LicenseAddition
    expandedlicensing_subjectExtendableLicense!:expandedlicensing_ExtendableLicense
extension_CdxPropertiesExtension < extension_Extension
    extension_cdxProperty!:extension_CdxPropertyEntry*
security_CvssV2VulnAssessmentRelationship < security_VulnAssessmentRelationship
    security_score!:number security_vectorString!:text
security_CvssV3VulnAssessmentRelationship < security_VulnAssessmentRelationship
    security_score!:number security_severity!:security_CvssSeverityType
    security_vectorString!:text
security_CvssV4VulnAssessmentRelationship < security_VulnAssessmentRelationship
    security_score!:number security_severity!:security_CvssSeverityType
    security_vectorString!:text
security_EpssVulnAssessmentRelationship < security_VulnAssessmentRelationship
    security_percentile!:number security_probability!:number
security_ExploitCatalogVulnAssessmentRelationship < security_VulnAssessmentRelationship
    security_catalogType!:security_ExploitCatalogType security_exploited!:bool
    security_locator!:uri
security_SsvcVulnAssessmentRelationship < security_VulnAssessmentRelationship
    security_decisionType!:security_SsvcDecisionType
abstract security_VexVulnAssessmentRelationship < security_VulnAssessmentRelationship
    security_statusNotes:text security_vexVersion:text
security_Vulnerability < Artifact
    security_modifiedTime:time security_publishedTime:time security_withdrawnTime:time
abstract software_SoftwareArtifact < Artifact
    software_additionalPurpose:software_SoftwarePurpose* software_attributionText:text*
    software_contentIdentifier:software_ContentIdentifier* software_copyrightText:text
    software_primaryPurpose:software_SoftwarePurpose
expandedlicensing_CustomLicense < expandedlicensing_License
security_VexAffectedVulnAssessmentRelationship < security_VexVulnAssessmentRelationship
    security_actionStatement!:text security_actionStatementTime:time
security_VexFixedVulnAssessmentRelationship < security_VexVulnAssessmentRelationship
security_VexNotAffectedVulnAssessmentRelationship < security_VexVulnAssessmentRelationship
    security_impactStatement:text security_impactStatementTime:time
    security_justificationType:security_VexJustificationType
security_VexUnderInvestigationVulnAssessmentRelationship < security_VexVulnAssessmentRelationship
software_File < software_SoftwareArtifact
    contentType:media software_fileKind:software_FileKindType
software_Package < software_SoftwareArtifact
    software_downloadLocation:uri software_homePage:uri software_packageUrl:uri
    software_packageVersion:text software_sourceInfo:text
software_Sbom < Bom
    software_sbomType:software_SbomType*
software_Snippet < software_SoftwareArtifact
    software_byteRange:PositiveIntegerRange software_lineRange:PositiveIntegerRange
    software_snippetFromFile!:software_File
ai_AIPackage < software_Package
    ai_autonomyType:PresenceType ai_domain:text* ai_energyConsumption:ai_EnergyConsumption
    ai_hyperparameter:DictionaryEntry* ai_informationAboutApplication:text
    ai_informationAboutTraining:text ai_limitation:text ai_metric:DictionaryEntry*
    ai_metricDecisionThreshold:DictionaryEntry* ai_modelDataPreprocessing:text*
    ai_modelExplainability:text* ai_safetyRiskAssessment:ai_SafetyRiskAssessmentType
    ai_standardCompliance:text* ai_typeOfModel:text*
    ai_useSensitivePersonalInformation:PresenceType
dataset_DatasetPackage < software_Package
    dataset_anonymizationMethodUsed:text*
    dataset_confidentialityLevel:dataset_ConfidentialityLevelType
    dataset_dataCollectionProcess:text dataset_dataPreprocessing:text*
    dataset_datasetAvailability:dataset_DatasetAvailabilityType dataset_datasetNoise:text
    dataset_datasetSize:natural dataset_datasetType!:dataset_DatasetType*
    dataset_datasetUpdateMechanism:text dataset_hasSensitivePersonalInformation:PresenceType
    dataset_intendedUse:text dataset_knownBias:text* dataset_sensor:DictionaryEntry*
"""

# A vocabulary and its words.
VOCABULARIES = """
ai_EnergyUnitType
    kilowattHour megajoule other
ProfileIdentifierType
    ai build core dataset expandedLicensing extension lite security simpleLicensing software
ExternalIdentifierType
    cpe22 cpe23 cve email gitoid other packageUrl securityOther swhid swid urlScheme
ExternalRefType
    altDownloadLocation altWebPage binaryArtifact bower buildMeta buildSystem
    certificationReport chat componentAnalysisReport cwe documentation dynamicAnalysisReport
    eolNotice exportControlAssessment funding issueTracker license mailingList mavenCentral
    metrics npm nuget other privacyAssessment productMetadata purchaseOrder
    qualityAssessmentReport releaseHistory releaseNotes riskAssessment runtimeAnalysisReport
    secureSoftwareAttestation securityAdversaryModel securityAdvisory securityFix securityOther
    securityPenTestReport securityPolicy securityThreatModel socialMedia sourceArtifact
    staticAnalysisReport support vcs vulnerabilityDisclosureReport
    vulnerabilityExploitabilityAssessment
HashAlgorithm
    adler32 blake2b256 blake2b384 blake2b512 blake3 crystalsDilithium crystalsKyber falcon md2
    md4 md5 md6 other sha1 sha224 sha256 sha384 sha3_224 sha3_256 sha3_384 sha3_512 sha512
RelationshipCompleteness
    complete incomplete noAssertion
RelationshipType
    affects amendedBy ancestorOf availableFrom configures contains coordinatedBy copiedTo
    delegatedTo dependsOn descendantOf describes doesNotAffect expandsTo exploitCreatedBy
    fixedBy fixedIn foundBy generates hasAddedFile hasAssessmentFor hasAssociatedVulnerability
    hasConcludedLicense hasDataFile hasDeclaredLicense hasDeletedFile hasDependencyManifest
    hasDistributionArtifact hasDocumentation hasDynamicLink hasEvidence hasExample hasHost
    hasInput hasMetadata hasOptionalComponent hasOptionalDependency hasOutput hasPrerequisite
    hasProvidedDependency hasRequirement hasSpecification hasStaticLink hasTest hasTestCase
    hasVariant invokedBy modifiedBy other packagedBy patchedBy publishedBy reportedBy
    republishedBy serializedInArtifact testedOn trainedOn underInvestigationFor usesTool
software_ContentIdentifierType
    gitoid swhid
AnnotationType
    other review
SupportType
    deployed development endOfSupport limitedSupport noAssertion noSupport support
LifecycleScopeType
    build design development other runtime test
security_CvssSeverityType
    critical high low medium none
security_ExploitCatalogType
    kev other
security_SsvcDecisionType
    act attend track trackStar
software_SoftwarePurpose
    application archive bom configuration container data device deviceDriver diskImage
    documentation evidence executable file filesystemImage firmware framework install library
    manifest model module operatingSystem other patch platform requirement source specification
    test
security_VexJustificationType
    componentNotPresent inlineMitigationsAlreadyExist
    vulnerableCodeCannotBeControlledByAdversary vulnerableCodeNotInExecutePath
    vulnerableCodeNotPresent
software_FileKindType
    directory file
software_SbomType
    analyzed build deployed design runtime source
PresenceType
    no noAssertion yes
ai_SafetyRiskAssessmentType
    high low medium serious
dataset_ConfidentialityLevelType
    amber clear green red
dataset_DatasetAvailabilityType
    clickthrough directDownload query registration scrapingScript
dataset_DatasetType
    audio categorical graph image noAssertion numeric other sensor structured syntactic text
    timeseries timestamp video
"""
