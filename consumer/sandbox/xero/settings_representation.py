"""An organisation's settings as the JSON that Xero answers with."""

from consumer.sandbox.xero.records import Account, Organisation, TaxRate
from consumer.sandbox.xero.values import Json, ms_date, ms_datetime, number


def organisation_json(organisation: Organisation) -> Json:
    """An element of ``GET /Organisation``; lock dates only when they are set."""
    shown: Json = {
        "OrganisationID": organisation.organisation_id,
        "Name": organisation.name,
        "LegalName": organisation.name,
        "PaysTax": True,
        "Version": "UK" if organisation.country_code == "GB" else "GLOBAL",
        "OrganisationType": "COMPANY",
        "OrganisationEntityType": "COMPANY",
        "BaseCurrency": organisation.base_currency,
        "CountryCode": organisation.country_code,
        "IsDemoCompany": organisation.is_demo_company,
        "OrganisationStatus": "ACTIVE",
        "FinancialYearEndDay": 31,
        "FinancialYearEndMonth": 3,
        "SalesTaxBasis": "ACCRUALS",
        "SalesTaxPeriod": "QUARTERLY",
        "DefaultSalesTax": "Tax Exclusive",
        "DefaultPurchasesTax": "Tax Exclusive",
        "CreatedDateUTC": ms_datetime(organisation.created_at),
        "Timezone": "GMTSTANDARDTIME",
        "ShortCode": "!" + organisation.organisation_id[:5],
        "Edition": "BUSINESS",
        "Class": "DEMO" if organisation.is_demo_company else "STANDARD",
        "Addresses": [],
        "Phones": [],
        "ExternalLinks": [],
        "PaymentTerms": {},
    }
    if organisation.period_lock_date:
        shown["PeriodLockDate"] = ms_date(organisation.period_lock_date)
    if organisation.end_of_year_lock_date:
        shown["EndOfYearLockDate"] = ms_date(organisation.end_of_year_lock_date)
    return shown


def account_json(account: Account) -> Json:
    """An element of ``GET /Accounts``."""
    shown: Json = {
        "AccountID": account.account_id,
        "Name": account.name,
        "Status": account.status,
        "Type": account.type,
        "TaxType": account.tax_type,
        "Class": account.account_class,
        "EnablePaymentsToAccount": account.enable_payments,
        "ShowInExpenseClaims": False,
        "ReportingCode": account.account_class[:3],
        "HasAttachments": False,
        "UpdatedDateUTC": ms_datetime(account.updated_at),
        "AddToWatchlist": False,
    }
    if account.code:
        shown["Code"] = account.code
    if account.system_account:
        shown["SystemAccount"] = account.system_account
    if account.type == "BANK":
        shown |= {
            "BankAccountNumber": "00000012345678",
            "BankAccountType": "BANK",
            "CurrencyCode": account.currency_code,
        }
    return shown


def tax_rate_json(rate: TaxRate) -> Json:
    """An element of ``GET /TaxRates``."""
    percent = number(rate.rate_percent)
    return {
        "Name": rate.name,
        "TaxType": rate.tax_type,
        "ReportTaxType": rate.report_tax_type,
        "CanApplyToAssets": "ASSET" in rate.applies_to,
        "CanApplyToEquity": "EQUITY" in rate.applies_to,
        "CanApplyToExpenses": "EXPENSE" in rate.applies_to,
        "CanApplyToLiabilities": "LIABILITY" in rate.applies_to,
        "CanApplyToRevenue": "REVENUE" in rate.applies_to,
        "DisplayTaxRate": percent,
        "EffectiveRate": percent,
        "Status": rate.status,
        "TaxComponents": [{"Name": "VAT", "Rate": percent, "IsCompound": False, "IsNonRecoverable": False}],
    }
